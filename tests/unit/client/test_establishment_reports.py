"""What is told of attempts, and what is learned from them."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.memory_network import client_config
from tests.unit.client.dialable import entry
from tests.unit.client.scripted_tunnel import ScriptedTunnel

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import HeadraceError, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.establishment_reports import EstablishmentReports
from headrace.client.liveness import LivenessFailed, LivenessResult
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers
from headrace.client.shared import Shared
from headrace.client.surroundings import Surroundings
from headrace.establishment.candidates import Candidates
from headrace.establishment.journal import Journal, Outcome
from headrace.net.upstream_proxy import UpstreamProxyError
from headrace.ssh.liveness import LivenessRequest

pytestmark = pytest.mark.virtual_time


class Reporting:
    """Reports of an establishment that has begun."""

    def __init__(self, **settings: Any) -> None:
        self._stream = io.StringIO()
        notices = Notices(
            self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True, network_parameters=True)
        )
        servers = FixedServers([entry(number) for number in range(1, 14)])
        config = client_config(**settings)
        self.shared = shared = Shared.of(
            config, servers, notices, SeededRng(1), SYSTEM_CLOCK, None, Surroundings()
        )
        self.journal = Journal()
        self.reports = EstablishmentReports(
            shared, self.journal, workers=10, new_round=lambda number: None, want_servers=lambda: None
        )
        self.candidates = Candidates(servers, shared.dial_settings, shared.rng, shared.replay)
        self.reports.begin(self.candidates, "WIFI")

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == kind]


def replayed() -> ScriptedTunnel:
    tunnel = ScriptedTunnel()
    tunnel.dial_parameters = replace(tunnel.dial_parameters, is_replay=True, network_id="UNKNOWN")
    return tunnel


@pytest.mark.parametrize(
    ("error", "kept"),
    [(NetworkError("Connection refused"), False), (UpstreamProxyError("Connection refused"), True)],
    ids=["the server's fault", "the proxy's"],
)
async def test_a_proxy_that_fails_says_nothing_about_servers(error: HeadraceError, kept: bool) -> None:
    reporting, tunnel = Reporting(ReplayRetainFailedProbability=0.0), replayed()
    reporting.shared.replay.succeeded(tunnel.dial_parameters)
    assert reporting.shared.replay.recent() == ["192.0.2.1"]
    reporting.reports.dialling(tunnel)
    reporting.reports.failed(tunnel, error)
    assert reporting.shared.replay.recent() == (["192.0.2.1"] if kept else [])
    record = reporting.journal.record(0.0)
    assert record is not None
    assert [trial.outcome for trial in record.trials] == [Outcome.FAILED]


async def test_how_many_servers_are_known_is_told_by_tens() -> None:
    reporting, tunnel = Reporting(), ScriptedTunnel()
    reporting.candidates.begin_round(first=True)
    for _ in range(11):
        reporting.candidates.take()
    reporting.reports.dialling(tunnel)
    reporting.reports.kept(tunnel)
    reporting.reports.dialling(tunnel)
    first, second = reporting.told("ConnectingServer")
    assert (first["uniqueCandidateEstimate"], first["establishedTunnelsCount"]) == (20, 0)
    assert (second["networkType"], second["establishedTunnelsCount"]) == ("WIFI", 1)
    assert "192.0.2" not in json.dumps([first, second])


async def test_a_liveness_test_that_failed_is_told() -> None:
    reporting, tunnel = Reporting(), ScriptedTunnel()
    tunnel.dial_parameters = replace(tunnel.dial_parameters, liveness=LivenessRequest(100, 5000))
    reporting.reports.dialling(tunnel)
    reporting.reports.failed(tunnel, LivenessFailed(LivenessResult(100, 1200, 2.5)))
    (told,) = reporting.told("LivenessTest")
    assert told["success"] is False
    assert told["metrics"] == {
        "Duration": "2.5s",
        "UpstreamBytes": 100,
        "SentUpstreamBytes": 100,
        "DownstreamBytes": 5000,
        "ReceivedDownstreamBytes": 1200,
    }
