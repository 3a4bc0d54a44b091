"""Statistics of failed tunnels: what is in them, and what never is."""

import json
from typing import Any

import msgspec
import pytest
from tests.memory_network import client_config
from tests.store_contents import SetClock
from tests.unit.client.scripted_tunnel import ENTRY

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.api import Identity
from headrace.client.failed_tunnels import STATISTICS, FailedTunnels, Progress
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.ssh.liveness import LivenessRequest
from headrace.store.client.statistics import MOST_RECORDS
from headrace.store.client.store import ClientStore


def attempt(seed: int = 1, number: int = 1, **changes: object) -> DialParameters:
    return choose(msgspec.structs.replace(ENTRY, **changes), "SSH", SeededRng(seed), number)


def failed_tunnels(store: ClientStore | None, clock: SetClock, **settings: object) -> FailedTunnels:
    identity = Identity.from_config(client_config(**settings))
    return FailedTunnels(
        identity, store, clock, network_type=lambda: "WIFI", last_connected=lambda: "2024-01-01T00:00:00Z"
    )


def records(store: ClientStore) -> list[dict[str, Any]]:
    return [json.loads(record) for record in store.statistics.take(STATISTICS, 10**6)]


def test_a_record_says_who_over_what_when_and_how(store: ClientStore, clock: SetClock) -> None:
    clock.now = 1_700_000_000  # 22:13:20
    progress = Progress(
        sent=7, received=8, liveness=LivenessRequest(100, 200), liveness_sent=100, liveness_received=50
    )
    failed_tunnels(store, clock, ClientVersion="7", ClientPlatform="Linux_x", EgressRegion="CH").record(
        attempt(region="CH", local_source="REMOTE", local_timestamp="2024-05-06T07:08:09Z"),
        ConnectTimeout("no connection within 15 s"),
        progress,
    )
    (record,) = records(store)
    assert record == {
        "propagation_channel_id": "F" * 16,
        "sponsor_id": "F" * 16,
        "client_version": "7",
        "client_platform": "Linux_x",
        "relay_protocol": "SSH",
        "ssh_client_version": attempt().identification,
        "is_replay": "0",
        "network_type": "WIFI",
        "egress_region": "CH",
        "server_entry_region": "CH",
        "server_entry_source": "REMOTE",
        "server_entry_timestamp": "2024-05-06T07:00:00Z",
        "session_id": "",
        "server_entry_tag": ENTRY.effective_tag,
        "last_connected": "2024-01-01T00:00:00Z",
        "client_failed_timestamp": "2023-11-14T22:00:00Z",
        "liveness_test_upstream_bytes": "100",
        "liveness_test_sent_upstream_bytes": "100",
        "liveness_test_downstream_bytes": "200",
        "liveness_test_received_downstream_bytes": "50",
        "bytes_up": "7",
        "bytes_down": "8",
        "tunnel_error": "no connection within 15 s",
    }


def test_no_address_and_no_secret_is_in_a_record(store: ClientStore, clock: SetClock) -> None:
    error = NetworkError("198.51.100.7:443 and [2001:db8::7]:22 said no " + "x" * 1000)
    settings = {"UpstreamProxyURL": "http://annika:hunter2@192.0.2.99:8080"}
    failed_tunnels(store, clock, **settings).record(attempt(), error)
    (record,) = store.statistics.take(STATISTICS, 10**6)
    assert len(record) < 1500
    for secret in (b"192.0.2", b"198.51", b"2001:db8", b"annika", b"hunter2", b"the secret", b"a2V5"):
        assert secret not in record
    assert json.loads(record)["upstream_proxy_type"] == "http"
    assert json.loads(record)["tunnel_error"].startswith("[redacted] and [redacted] said no x")


def test_what_fails_alike_within_the_hour_is_one_record(store: ClientStore, clock: SetClock) -> None:
    clock.now = 3600 * 500_000
    tunnels = failed_tunnels(store, clock)
    for number in range(10):
        tunnels.record(attempt(number=number), NetworkError("Connection refused"))
        clock.now += 60
    assert len(records(store)) == 1
    clock.now += 3600
    tunnels.record(attempt(), NetworkError("Connection refused"))
    tunnels.record(attempt(), NetworkError("Connection reset by peer"))
    assert len(records(store)) == 2


def test_a_blocked_network_fills_no_disk(store: ClientStore, clock: SetClock) -> None:
    tunnels = failed_tunnels(store, clock)
    for number in range(MOST_RECORDS + 50):
        tunnels.record(attempt(), NetworkError(f"error {number}"))
    assert len(records(store)) == MOST_RECORDS


def test_an_error_without_a_text_is_named(store: ClientStore, clock: SetClock) -> None:
    failed_tunnels(store, clock).record(attempt(), ConnectionResetError())
    assert records(store)[0]["tunnel_error"] == "ConnectionResetError"


def test_without_a_store_nothing_is_kept(clock: SetClock) -> None:
    failed_tunnels(None, clock).record(attempt(), NetworkError("refused"))


@pytest.mark.parametrize("session", ["", "0" * 32])
def test_a_record_does_not_tie_two_runs_together(store: ClientStore, clock: SetClock, session: str) -> None:
    failed_tunnels(store, clock, SessionID=session).record(attempt(), NetworkError("refused"))
    (record,) = records(store)
    about_the_run = {name: record[name] for name in record if "session" in name or "padding" in name}
    assert about_the_run == {"session_id": ""}
