"""What is told of an establishment, and what is learned from it: notices, the journal, replay, statistics."""

import asyncio
from collections.abc import Callable
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.client.failed_tunnels import Progress
from headrace.client.liveness import LivenessFailed, LivenessResult
from headrace.client.shared import Shared
from headrace.client.tunnel import Tunnel
from headrace.codec.go_duration import duration_text
from headrace.establishment.candidates import Candidates
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.journal import Journal, Outcome
from headrace.establishment.stages import Stage
from headrace.net.upstream_proxy import UpstreamProxyError
from headrace.ssh.liveness import LivenessRequest

__all__ = ["EstablishmentReports", "describe"]

#: Seconds before failures of the upstream proxy are told: for certain, and after many attempts. A proxy that
#: allows only some ports makes single failures normal (client spec §3).
PROXY_TROUBLE, PROXY_TROUBLE_OF_MANY = 30.0, 10.0
#: Exact numbers of servers known would tell clients apart.
_ROUNDED_UP_TO: Final = 10


class EstablishmentReports:
    """Hears of one establishment after the other. `workers` is how many dial at once."""

    def __init__(
        self,
        shared: Shared,
        journal: Journal,
        *,
        workers: int,
        new_round: Callable[[int], None],
        want_servers: Callable[[], None],
    ) -> None:
        self._notices = shared.notices
        self._replay = shared.replay
        self._failed_tunnels = shared.failed_tunnels
        self._clock = shared.clock
        self._journal = journal
        self._workers = workers
        self.new_round = new_round
        self.want_servers = want_servers
        self._loop = asyncio.get_running_loop()
        self._begun = 0.0
        self._attempts = 0
        self._candidates: Candidates | None = None
        self._network_type = ""
        self.established = 0  #: tunnels there have been in this run

    def begin(self, candidates: Candidates, network_type: str) -> None:
        """Another establishment begins."""
        self._begun, self._attempts = self._loop.time(), 0
        self._candidates, self._network_type = candidates, network_type
        self._journal.begin(self._begun, self._clock.time())

    def finish(self, *, connected: bool) -> None:
        """It is over."""
        self._journal.finished(self._loop.time(), connected=connected)

    def dialling(self, tunnel: Tunnel) -> None:
        attempt = tunnel.dial_parameters
        self._attempts += 1
        self._notices.emit("ConnectingServer", None, **self._describe(attempt))
        self._journal.started(attempt, self._loop.time(), lambda: tunnel.stage)

    def connected(self, tunnel: Tunnel) -> None:
        attempt, test = tunnel.dial_parameters, tunnel.liveness
        self._notices.emit("ConnectedServer", None, **self._describe(attempt))
        if test is not None and attempt.liveness is not None:
            self._tell_of_the_test(attempt, attempt.liveness, test, success=True)

    def kept(self, tunnel: Tunnel) -> None:
        """A tunnel is ready for use."""
        self.established += 1
        self._end(tunnel, Outcome.KEPT)

    def failed(self, tunnel: Tunnel, error: HeadraceError) -> None:
        attempt = tunnel.dial_parameters
        self._notices.info(f"{attempt.diagnostic_id} over {attempt.protocol}: {error}")
        self._end(tunnel, Outcome.FAILED, str(error))
        if isinstance(error, UpstreamProxyError):  # that says nothing about the server
            self._tell_of_the_proxy(error)
        else:
            self._replay.failed(attempt)
            self._failed_tunnels.record(attempt, error, self._progress(tunnel, error))

    def dropped(self, tunnel: Tunnel, outrun: bool) -> None:
        through = outrun and tunnel.stage >= Stage.LOGGED_IN
        self._end(tunnel, Outcome.DISCARDED if through else Outcome.CANCELLED)

    def _tell_of_the_test(
        self, attempt: DialParameters, wanted: LivenessRequest, test: LivenessResult, *, success: bool
    ) -> None:
        metrics = {
            "Duration": duration_text(test.duration),
            "UpstreamBytes": wanted.up,
            "SentUpstreamBytes": test.sent,
            "DownstreamBytes": wanted.down,
            "ReceivedDownstreamBytes": test.received,
        }
        self._notices.emit(
            "LivenessTest", diagnosticID=attempt.diagnostic_id, metrics=metrics, success=success
        )

    def _end(self, tunnel: Tunnel, outcome: Outcome, reason: str = "") -> None:
        self._journal.ended(tunnel.dial_parameters, self._loop.time(), tunnel.stage, outcome, reason)

    def _progress(self, tunnel: Tunnel, error: HeadraceError) -> Progress:
        """Return what had passed, for the statistics; a liveness test that failed is told of on the way."""
        sent, received = tunnel.bytes_transferred
        wanted = tunnel.dial_parameters.liveness
        if wanted is None or not isinstance(error, LivenessFailed):
            return Progress(sent=sent, received=received)
        test = error.result
        self._tell_of_the_test(tunnel.dial_parameters, wanted, test, success=False)
        return Progress(
            sent=sent,
            received=received,
            liveness=wanted,
            liveness_sent=test.sent,
            liveness_received=test.received,
        )

    def _tell_of_the_proxy(self, error: UpstreamProxyError) -> None:
        many = self._attempts >= 2 * self._workers
        if self._loop.time() - self._begun >= (PROXY_TROUBLE_OF_MANY if many else PROXY_TROUBLE):
            self._notices.emit("UpstreamProxyError", message=str(error))

    def _describe(self, attempt: DialParameters) -> dict[str, object]:
        candidates = self._candidates
        assert candidates is not None
        return {
            **describe(attempt),
            "isReplay": attempt.is_replay,
            "replayIgnoredChange": attempt.replay_ignored_change,
            "uniqueCandidateEstimate": -(-candidates.seen // _ROUNDED_UP_TO) * _ROUNDED_UP_TO,
            "candidatesMovedToFront": candidates.moved_to_front,
            "establishedTunnelsCount": self.established,
            "networkType": self._network_type,
        }


def describe(attempt: DialParameters) -> dict[str, object]:
    """What notices say about an attempt; none of it tells where the server is."""
    return {
        "diagnosticID": attempt.diagnostic_id,
        "region": attempt.entry.region,
        "protocol": attempt.protocol,
        "candidateNumber": attempt.candidate_number,
    }
