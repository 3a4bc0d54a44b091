"""How a worker's figures come together."""

from collections import Counter
from typing import TYPE_CHECKING

from headrace.server.stats.process_figures import open_files, resident_bytes
from headrace.server.stats.snapshot import Snapshot, client_key

if TYPE_CHECKING:
    from headrace.server.worker import Worker

__all__ = ["take_snapshot"]


def take_snapshot(worker: "Worker") -> Snapshot:
    """Return the figures of this moment. It looks at every session, some microseconds each."""
    connections: Counter[str] = Counter()
    tunnels: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for session in worker.sessions:
        place = session.origin.place
        key = client_key(session.protocol_name, place.country, place.asn)
        states[session.state] += 1
        connections[key] += 1
        if session.state == "tunnel":
            tunnels[key] += 1
    return Snapshot(
        workers=1,
        accepting=1,
        connections=dict(connections),
        tunnels=dict(tunnels),
        strangers=states["refused"],
        resident_bytes=resident_bytes(),
        open_files=open_files(),
        counts=dict(worker.counts),
    )
