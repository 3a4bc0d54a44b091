"""How a worker's figures come together."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.server.stats.process_figures import open_files, resident_bytes
from headrace.server.stats.snapshot import Histogram, Snapshot, client_key

if TYPE_CHECKING:
    from headrace.server.worker import Worker

__all__ = ["take_snapshot"]


def take_snapshot(worker: "Worker") -> Snapshot:
    """Return the figures of this moment. It looks at every session, some microseconds each."""
    carried = replace(worker.stats.carried)
    connections: Counter[str] = Counter()
    tunnels: Counter[str] = Counter()
    states: Counter[str] = Counter()
    tcp = udp = dialing = 0
    for session in worker.sessions:
        place = session.origin.place
        key = client_key(session.protocol_name, place.country, place.asn)
        states[session.state] += 1
        connections[key] += 1
        record = session.record
        if record is not None:
            tunnels[key] += 1
            tcp += record.tcp.open
            udp += record.udp.open
            dialing += record.dialing
            carried.add(record, session.socket.bytes_in, session.socket.bytes_out)
    return Snapshot(
        workers=1,
        accepting=0 if worker.door.reasons else 1,
        connections=dict(connections),
        tunnels=dict(tunnels),
        strangers=states["refused"],
        handshakes=worker.admission.going_on,
        queued=worker.admission.waiting,
        tcp_forwards=tcp,
        udp_forwards=udp,
        dialing=dialing,
        buffered_bytes=worker.buffered,
        resident_bytes=resident_bytes(),
        open_files=open_files(),
        loop_lag=worker.stats.lag.longest,
        files=dict(worker.shared.written),
        counts={**worker.counts, **worker.shared.events.counts, **carried.counts},
        handshake_seconds=worker.stats.handshakes + Histogram(),  # which is another one
    )
