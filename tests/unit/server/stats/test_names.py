from headrace.server.stats.metrics import GAUGES
from headrace.server.stats.names import FAMILIES


def test_no_two_are_one_metric() -> None:
    metrics = [*GAUGES, *(family.metric for family in FAMILIES.values())]
    assert len(set(metrics)) == len(metrics)


def test_families_have_names_that_a_dot_ends() -> None:
    assert [name for name in FAMILIES if not name.replace("_", "").isalpha()] == []
