from typing import Any

import pytest

from headrace.server.stats.metrics import GAUGES, OTHER, PREFIX, metrics
from headrace.server.stats.names import FAMILIES
from headrace.server.stats.snapshot import Histogram, Snapshot, client_key

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(snapshot: Snapshot, least: int = 1) -> Samples:
    return {
        (sample.name.removeprefix(PREFIX), tuple(sample.labels.values())): sample.value
        for metric in metrics(snapshot, least)
        for sample in metric.samples
    }


def tunnels(**regions: int) -> dict[str, int]:
    """So many tunnels in each region, in a network for each."""
    return {client_key("OSSH", region, str(64500 + n)): regions[region] for n, region in enumerate(regions)}


def test_every_figure_is_shown() -> None:
    snapshot = Snapshot(
        workers=2,
        accepting=1,
        connections=tunnels(DE=9),
        tunnels=tunnels(DE=4, FR=2),
        tcp_forwards=5,
        loop_lag=0.25,
        files={"TrafficRulesFilename": 1000.0},
        counts={"rejected.accept_rate": 3, "dialed_ms.ipv4": 1500},
        handshake_seconds=Histogram(groups=[1, 2, *[0] * 7, 1], seconds=60.5),
    )
    shown = samples(snapshot)
    expected = {
        ("workers", ()): 2,
        ("workers_accepting", ()): 1,
        ("connections", ("OSSH",)): 9,
        ("tunnels", ("OSSH",)): 6,
        ("tunnels_by_region", ("DE",)): 4,
        ("tunnels_by_region", ("FR",)): 2,
        ("tunnels_by_asn", ("64500",)): 4,
        ("port_forwards", ("tcp",)): 5,
        ("loop_lag_seconds", ()): 0.25,
        ("file_written_timestamp_seconds", ("TrafficRulesFilename",)): 1000.0,
        ("connections_rejected_total", ("accept_rate",)): 3,
        ("dials_seconds_total", ("ipv4",)): 1.5,
        ("handshake_seconds_bucket", ("0.05",)): 1,
        ("handshake_seconds_bucket", ("0.1",)): 3,
        ("handshake_seconds_bucket", ("30.0",)): 3,
        ("handshake_seconds_bucket", ("+Inf",)): 4,
        ("handshake_seconds_sum", ()): 60.5,
    }
    assert {name: shown[name] for name in expected} == expected


def test_groups_of_few_clients_are_shown_together() -> None:
    shown = samples(Snapshot(tunnels=tunnels(DE=10, FR=9, US=1, IR=30)), least=10)
    by_region = {labels: value for (name, labels), value in shown.items() if name == "tunnels_by_region"}
    assert by_region == {("DE",): 10, ("IR",): 30, (OTHER,): 10}
    by_asn = {labels: value for (name, labels), value in shown.items() if name == "tunnels_by_asn"}
    assert by_asn == {("64500",): 10, ("64503",): 30, (OTHER,): 10}


@pytest.mark.parametrize("snapshot", [Snapshot(), Snapshot(tunnels=tunnels(DE=1))])
def test_a_metric_has_the_same_name_whatever_there_is_to_show(snapshot: Snapshot) -> None:
    names: list[Any] = [metric.name for metric in metrics(snapshot, 1)]
    assert len(set(names)) == len(names) == len(GAUGES) + len(FAMILIES) + 1


def test_a_counter_of_no_family_is_not_shown() -> None:
    assert samples(Snapshot(counts={"made up.by somebody": 1})) == samples(Snapshot())
