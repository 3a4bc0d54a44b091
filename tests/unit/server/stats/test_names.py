import pytest

from headrace.server.stats.names import FAMILIES, split


def test_a_name_is_a_familys_and_a_members() -> None:
    family, member = split("rejected.accept_rate")
    assert (family.metric, family.label, member) == ("connections_rejected", "reason", "accept_rate")


def test_a_name_of_no_family_is_refused() -> None:
    with pytest.raises(KeyError):
        split("typo.accept_rate")


def test_no_two_families_are_one_metric() -> None:
    metrics = [family.metric for family in FAMILIES.values()]
    assert len(set(metrics)) == len(metrics)
