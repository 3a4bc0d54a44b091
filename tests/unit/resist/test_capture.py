"""A capture is whole, or it is none: with a tcpdump that says what we like."""

import sys
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.resist import capture as module
from headrace.resist.capture import capture

LISTENING = "tcpdump: listening on lo, link-type EN10MB (Ethernet)"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.0)


def tcpdump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, *, at_end: str = "", status: int | None = None
) -> Path:
    """Have a program of this name that says something, and something else when it is to end.

    With a status it ends by itself, and cannot be asked to.
    """
    program = tmp_path / "tcpdump"
    lines = [
        f"#!{sys.executable}",
        "import signal, sys",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})",
        f"print({says!r}, flush=True)",
        f"signal.sigwait({{signal.SIGTERM}}); print({at_end!r})" if status is None else f"sys.exit({status})",
    ]
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "some, connections.pcap"


def told(dropped: str) -> str:
    return f"9 packets captured\n{dropped} dropped by kernel"


async def test_a_capture_that_lost_nothing_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tcpdump(tmp_path, monkeypatch, LISTENING, at_end=told("0 packets"))
    async with capture(file, [1]):
        pass


@pytest.mark.parametrize("dropped", ["1 packet", "10 packets", "305 packets"])
async def test_a_single_packet_that_is_lost_is_an_error(
    dropped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, LISTENING, at_end=told(dropped))
    with pytest.raises(OperatorError, match=f"incomplete: {dropped} dropped"):
        async with capture(file, [1]):
            pass


async def test_a_capture_that_ended_by_itself_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = f"{LISTENING}\ntcpdump: No space left on device"
    file = tcpdump(tmp_path, monkeypatch, full, status=1)
    with pytest.raises(OperatorError, match=r"incomplete: .*No space left on device"):
        async with capture(file, [1]):
            pass


@pytest.mark.parametrize("said", ["", "tcpdump: lo: permission denied"])
async def test_who_may_not_capture_hears_what_it_takes(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, said, status=1)
    with pytest.raises(OperatorError, match=r"tcpdump cannot capture.*CAP_NET_RAW"):
        async with capture(file, [1]):
            pass


async def test_what_goes_wrong_meanwhile_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tcpdump(tmp_path, monkeypatch, LISTENING, at_end=told("7 packets"))
    with pytest.raises(LookupError):
        async with capture(file, [1]):
            raise LookupError
