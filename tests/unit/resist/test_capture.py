"""A capture is whole, or it is none: with a tcpdump that says what we like."""

from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.resist import capture as module
from headrace.resist.capture import capture

LISTENING = "tcpdump: listening on lo, link-type EN10MB (Ethernet)"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.0)


def tcpdump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: str, ends: str) -> Path:
    """Have a program of this name that does one thing when it begins, the other when it is to end."""
    program = tmp_path / "tcpdump"
    program.write_text(f"#!/bin/sh\ntrap '{ends}' TERM INT\n{begins}\nsleep 60 & wait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "some, connections.pcap"


def told(dropped: str) -> str:
    return f'kill $!; echo "9 packets captured" >&2; echo "{dropped} dropped by kernel" >&2; exit 0'


async def test_a_capture_that_lost_nothing_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tcpdump(tmp_path, monkeypatch, f'echo "{LISTENING}" >&2', told("0 packets"))
    async with capture(file, [1]):
        pass


@pytest.mark.parametrize("dropped", ["1 packet", "10 packets", "305 packets"])
async def test_a_single_packet_that_is_lost_is_an_error(
    dropped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, f'echo "{LISTENING}" >&2', told(dropped))
    with pytest.raises(OperatorError, match=f"incomplete: {dropped} dropped"):
        async with capture(file, [1]):
            pass


async def test_a_capture_that_ended_by_itself_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = f'echo "{LISTENING}" >&2; echo "tcpdump: No space left on device" >&2; exit 1'
    file = tcpdump(tmp_path, monkeypatch, full, "exit 0")
    with pytest.raises(OperatorError, match=r"incomplete: .*No space left on device"):
        async with capture(file, [1]):
            pass


@pytest.mark.parametrize("said", ["true", 'echo "tcpdump: lo: permission denied" >&2'])
async def test_who_may_not_capture_hears_what_it_takes(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, f"{said}; exit 1", "exit 0")
    with pytest.raises(OperatorError, match=r"tcpdump cannot capture.*CAP_NET_RAW"):
        async with capture(file, [1]):
            pass


async def test_what_goes_wrong_meanwhile_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, f'echo "{LISTENING}" >&2', told("7 packets"))
    with pytest.raises(LookupError):
        async with capture(file, [1]):
            raise LookupError
