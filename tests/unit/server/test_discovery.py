"""What a server makes of its discovery servers as time goes by, and what it keeps of who asked: nothing."""

from collections.abc import Sequence

import pytest

from headrace.discovery.consistent import Consistent
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Choose
from headrace.net.addresses import parse_address
from headrace.server.discovery import Discovery

EARLY = DiscoveryServer(0, 100, "192.0.2.1", "early")
LATE = DiscoveryServer(100, 200, "192.0.2.2", "late")


class Counting(Consistent):
    """Counts how often it had to arrange the candidates."""

    arranged = 0

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> Choose:  # type: ignore[override]
        Counting.arranged += 1
        return super().arrange(candidates)


def test_candidates_are_arranged_when_a_time_begins_or_ends_and_not_before() -> None:
    discovery = Discovery([EARLY, LATE], Counting())
    assert [discovery.choose("198.51.100.7", now) for now in (1, 50, 99.9)] == [EARLY] * 3
    assert Counting.arranged == 1
    assert [discovery.choose("198.51.100.7", now) for now in (100, 150)] == [LATE] * 2
    assert Counting.arranged == 2
    assert discovery.choose("198.51.100.7", 200) is None
    assert discovery.choose("198.51.100.7", 60) is EARLY, "the clock was set back"


def test_both_forms_of_an_address_are_the_same_client() -> None:
    servers = [DiscoveryServer(0, 100, f"192.0.2.{number}", "") for number in range(100)]
    discovery = Discovery(servers, Consistent())
    for number in range(20):
        address = f"198.51.100.{number}"
        assert discovery.choose(address, 1) == discovery.choose(f"::ffff:{address}", 1)


@pytest.mark.parametrize("address", ["", "not an address", "198.51.100.7:80"])
def test_who_has_no_address_is_told_of_nobody(address: str) -> None:
    assert Discovery([EARLY], Consistent()).choose(address, 1) is None


def test_an_address_is_not_parsed_where_addresses_are_remembered() -> None:
    before = parse_address.cache_info().currsize
    Discovery([EARLY], Consistent()).choose("198.51.100.78", 1)
    assert parse_address.cache_info().currsize == before
