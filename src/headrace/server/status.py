"""How a running server is, for whoever looks after it: numbers, and nothing of any client."""

from enum import StrEnum

import msgspec

from headrace.base.errors import DocumentError
from headrace.server.stats.snapshot import Snapshot, read_clients

__all__ = ["ServerStatus", "State", "WorkerStatus", "by_protocol"]


class State(StrEnum):
    """What a server is about."""

    STARTING = "starting"
    SERVING = "serving"
    PAUSED = "paused"  #: takes no new tunnels
    DRAINING = "draining"  #: takes none, and ends when those it has do


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One of its processes."""

    process: int  #: its ID, 0 while there is none
    ready: bool
    seconds: float  #: since it was started, or lost
    losses: int  #: how many before it were lost


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A server: its processes, and the figures of all of them together."""

    version: str
    process: int
    state: State
    seconds: float  #: since it was started
    paused: list[str] = []  #: why no new tunnels are taken
    workers: list[WorkerStatus] = []
    figures: Snapshot = Snapshot()  #: clients by protocol only

    @classmethod
    def from_json(cls, data: bytes) -> "ServerStatus":
        """Read one. Raises DocumentError."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError("what the server says is no status") from error


def by_protocol(figures: Snapshot) -> Snapshot:
    """Return the figures without countries and networks, where few clients would stand out."""
    return msgspec.structs.replace(
        figures,
        connections=_without_places(figures.connections),
        tunnels=_without_places(figures.tunnels),
    )


def _without_places(counts: dict[str, int]) -> dict[str, int]:
    result: dict[str, int] = {}
    for key, count in counts.items():
        protocol = read_clients(key).protocol
        result[protocol] = result.get(protocol, 0) + count
    return result
