"""The server's figures as metrics, from the sum of its workers' snapshots.

Countries and networks (AS) with few clients are shown together, so that no number is a person.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from headrace.server.stats.names import FAMILIES
from headrace.server.stats.snapshot import HANDSHAKE_BOUNDS, Snapshot, read_clients

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["GAUGES", "HISTOGRAM", "OTHER", "PREFIX", "Gauge", "metrics"]

PREFIX: Final = "headrace_"
#: What countries and networks are called that have too few clients to be shown.
OTHER: Final = "other"


class Gauge(NamedTuple):
    """Something that there is now."""

    label: str  #: "" for a single number
    meaning: str
    read: Callable[[Snapshot, int], Mapping[str, float]]  #: by the label; the number is the least to be shown


def _single(name: str) -> Callable[[Snapshot, int], Mapping[str, float]]:
    return lambda snapshot, least: {"": getattr(snapshot, name)}


def _by(field: str, kind: str) -> Callable[[Snapshot, int], Mapping[str, float]]:
    """Return a reader of how many clients there are of each protocol, region or network."""

    def read(snapshot: Snapshot, least: int) -> Mapping[str, float]:
        counts: Counter[str] = Counter()
        for key, count in getattr(snapshot, field).items():
            counts[getattr(read_clients(key), kind)] += count
        return dict(counts if kind == "protocol" else _merged(counts, least))

    return read


def _merged(counts: Mapping[str, int], least: int) -> Mapping[str, int]:
    merged: Counter[str] = Counter()
    for name, count in counts.items():
        merged[name if count >= least else OTHER] += count
    return merged


GAUGES: Final[Mapping[str, Gauge]] = {
    "workers": Gauge("", "Worker processes.", _single("workers")),
    "workers_accepting": Gauge("", "Workers that accept new connections.", _single("accepting")),
    "connections": Gauge("protocol", "Connections, strangers' included.", _by("connections", "protocol")),
    "strangers": Gauge("", "Connections whose peers are no clients.", _single("strangers")),
    "handshakes": Gauge("", "Handshakes going on.", _single("handshakes")),
    "handshakes_queued": Gauge("", "Handshakes that wait for their turn.", _single("queued")),
    "tunnels": Gauge("protocol", "Tunnels in use.", _by("tunnels", "protocol")),
    "tunnels_by_region": Gauge("region", "Tunnels in use, by country.", _by("tunnels", "region")),
    "tunnels_by_asn": Gauge("asn", "Tunnels in use, by the client's network.", _by("tunnels", "asn")),
    "port_forwards": Gauge(
        "transport",
        "Port forwards that are open.",
        lambda snapshot, least: {"tcp": snapshot.tcp_forwards, "udp": snapshot.udp_forwards},
    ),
    "port_forwards_dialing": Gauge("", "Port forwards being connected.", _single("dialing")),
    "buffered_bytes": Gauge("", "Bytes that wait to be sent.", _single("buffered_bytes")),
    "resident_bytes": Gauge("", "Memory of all workers.", _single("resident_bytes")),
    "open_files": Gauge("", "File descriptors of all workers.", _single("open_files")),
    "loop_lag_seconds": Gauge(
        "", "Most that a timer of the slowest worker was late in the last minute.", _single("loop_lag")
    ),
    "file_written_timestamp_seconds": Gauge(
        "field", "When the file in force was written.", lambda snapshot, least: snapshot.files
    ),
}
"""By name, without the prefix."""

HISTOGRAM: Final = ("handshake_seconds", "Time from a connection to its tunnel.")


def metrics(snapshot: Snapshot, least: int) -> "Iterator[Metric]":
    """Return what there is to show. Groups of fewer clients than `least` are merged."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    for name, gauge in GAUGES.items():
        labels = [gauge.label] if gauge.label else []
        family = GaugeMetricFamily(PREFIX + name, gauge.meaning, labels=labels)
        for member, value in sorted(gauge.read(snapshot, least).items()):
            family.add_metric([member] if labels else [], value)
        yield family
    for name, counts in _counters(snapshot).items():
        metric, label, meaning, unit = FAMILIES[name]
        counter = CounterMetricFamily(PREFIX + metric, meaning, labels=[label])
        for member, count in sorted(counts.items()):
            counter.add_metric([member], count * unit)
        yield counter
    name, meaning = HISTOGRAM
    durations = snapshot.handshake_seconds
    bounds = [*map(str, HANDSHAKE_BOUNDS), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations.groups), strict=True))
    histogram = HistogramMetricFamily(PREFIX + name, meaning)
    histogram.add_metric([], buckets, durations.seconds)
    yield histogram


def _counters(snapshot: Snapshot) -> Mapping[str, Mapping[str, int]]:
    """Return the counters by family, those of no family left out: all families, counted or not."""
    families: dict[str, dict[str, int]] = {name: {} for name in FAMILIES}
    for name, count in snapshot.counts.items():
        family, _, member = name.partition(".")
        if family in FAMILIES:
            families[family][member] = count
    return families
