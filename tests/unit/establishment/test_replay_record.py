"""What is kept of an attempt that went well."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.memory_network import client_config
from tests.unit.client.dialable import entry

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay_record import ReplayRecord, config_state, entry_state
from headrace.obfuscation.prefix import ClientPrefix
from headrace.ssh.liveness import LivenessRequest

NOW = 1_700_000_000.5


def attempt() -> DialParameters:
    settings = DialSettings(liveness_up=(1, 99), liveness_down=(0, 99))
    fresh = choose(entry(1), "OSSH", SeededRng(1), 4, settings=settings)
    return replace(fresh, prefix=ClientPrefix("get", b"GET /\xff" + bytes(18), 0.25, framed=True))


def record(**changes: Any) -> bytes:
    """Return a record with some members replaced, or left out if None."""
    members = {**json.loads(ReplayRecord.of(attempt(), "state", NOW).encode()), **changes}
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def test_there_and_back_and_applied_it_is_the_same_attempt() -> None:
    kept = ReplayRecord.decode(ReplayRecord.of(attempt(), "state", NOW).encode())
    assert (kept.config_state, kept.last_used) == ("state", NOW)
    again = kept.apply(choose(entry(1), "OSSH", SeededRng(2), 9))
    assert again == replace(attempt(), candidate_number=9, is_replay=True)
    assert kept.apply(attempt(), ignored_change=True).replay_ignored_change


def test_nothing_secret_is_kept() -> None:
    text = record().decode()
    assert "keyword" not in text and "192.0.2.1" not in text and entry(1).ssh_host_key not in text


def test_what_may_be_missing() -> None:
    kept = ReplayRecord.decode(record(prefix=None, liveness=None))
    assert kept.prefix is None and kept.liveness is None
    assert ReplayRecord.decode(record(later="x")) == ReplayRecord.decode(record())


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": "1"},
        {"protocol": None},
        {"identification": "SSH-1.5-x"},
        {"identification": "SSH-2.0-x\r\nSSH-2.0-y"},
        {"identification": "SSH-2.0-" + "x" * 300},
        {"padding": -1},
        {"padding": 8193},
        {"padding": 40.5},
        {"seed": "AAAA"},
        {"seed": "not base64"},
        {"latency_multiplier": 0.5},
        {"latency_multiplier": 3.5},
        {"latency_multiplier": None},
        {"last_used": "today"},
        {"last_used": None},
        {"config_state": None},
        {"entry_state": 5},
        {"prefix": {"name": "", "data": "", "split_delay": 0}},
        {"prefix": {"name": "x", "data": "", "split_delay": -1}},
        {"prefix": {"name": "x", "data": "", "split_delay": 11}},
        {"prefix": {"name": "x" * 4097, "data": ""}},
        {"prefix": {"name": "x", "data": "A" * 4 * 22_000}},
        {"prefix": "GET"},
        {"prefix": {"name": "x", "data": "", "framed": True}},
        {"prefix": {"name": "x", "data": "", "framed": 1}},
        {"liveness": {"u": -1}},
        {"liveness": {"d": 10 * 1024 * 1024 + 1}},
    ],
)
def test_what_no_dial_can_have_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="replay record"):
        ReplayRecord.decode(record(**changes))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"x" * 200_000, record()[:-1]],
    ids=lambda data: f"{len(data)} bytes",
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match="replay record"):
        ReplayRecord.decode(data)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_times_that_are_none_are_refused(number: str) -> None:
    text = record().decode().replace(str(NOW), number)
    assert number in text
    with pytest.raises(DocumentError):
        ReplayRecord.decode(text.encode())


def test_liveness_sizes_are_kept() -> None:
    kept = ReplayRecord.decode(record(liveness={"u": 5}))
    assert kept.liveness == LivenessRequest(up=5)


@pytest.mark.parametrize(
    "settings",
    [
        {"LimitTunnelProtocols": ["OSSH"]},
        {"InitialLimitTunnelProtocols": ["OSSH"], "InitialLimitTunnelProtocolsCandidateCount": 3},
        {"LimitTunnelDialPortNumbers": {"OSSH": [443]}},
        {"UpstreamProxyURL": "http://127.0.0.1:3128"},
        {"UpstreamProxyURL": "socks5://127.0.0.1:3128"},
        {"CustomHeaders": {"X-Header": ["a"]}},
        {"ObfuscatedSSHMaxPadding": 100},
        {"OSSHPrefixSpecs": {"a": [["", "x"]]}},
        {"NetworkLatencyMultiplier": 2.0},
        {"LivenessTestMaxUpstreamBytes": 9},
    ],
)
def test_what_influences_dials_changes_the_configurations_state(settings: dict[str, Any]) -> None:
    assert config_state(client_config(**settings)) != config_state(client_config())
    assert config_state(client_config(**settings)) == config_state(client_config(**settings))


def test_what_does_not_influence_dials_leaves_it() -> None:
    state = config_state(client_config())
    for settings in ({"EgressRegion": "CH"}, {"LocalSocksProxyPort": 1080}, {"SponsorId": "0" * 16}):
        assert config_state(client_config(**settings)) == state
    assert config_state(client_config(), "a tag") != state
    with_password, without = (
        client_config(UpstreamProxyURL=f"http://{user}127.0.0.1:3128") for user in ("ann:secret@", "")
    )
    assert config_state(with_password) == config_state(without)


def test_an_entrys_state_changes_with_its_version_and_with_when_it_was_learned() -> None:
    versions = [entry(1, configurationVersion=version) for version in (1, 2)]
    times = [entry(1, localTimestamp=f"2024-01-0{day}T00:00:00Z") for day in (1, 2)]
    assert len({entry_state(each) for each in versions + times}) == 4
    assert entry_state(entry(1)) == entry_state(entry(1))
