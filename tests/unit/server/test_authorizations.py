"""Who uses which authorization: one session at a time, and only while it lasts."""

from collections import Counter
from dataclasses import dataclass

import pytest

from headrace.base.rng import SeededRng
from headrace.documents.authorizations import AuthorizationKey, KeyRing
from headrace.server.authorizations import MOST, Authorizations, Grant

NOW = 1_700_000_000.0
BOOST = AuthorizationKey.generate("boost", SeededRng(1))
PORTS = AuthorizationKey.generate("ports", SeededRng(2))
RING = KeyRing(keys=[BOOST.verification_key, PORTS.verification_key])
STRANGE = AuthorizationKey.generate("boost", SeededRng(3)).issue(b"a", NOW + 60)[0]


@dataclass
class Now:
    seconds: float = NOW

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.seconds

    def time(self) -> float:
        return self.seconds


class Desk:
    """Authorizations, and the grants whose holders were told that they are less."""

    def __init__(self, ring: KeyRing = RING) -> None:
        self.clock = Now()
        self.counts: Counter[str] = Counter()
        self.all = Authorizations(ring, self.clock, self.counts)
        self.told: list[str] = []

    def claim(self, session_id: str, *texts: str) -> Grant:
        return self.all.claim(session_id, texts, lambda: self.told.append(session_id))


def boost(purchase: str = "a", seconds: float = 60.0) -> str:
    return BOOST.issue(purchase.encode(), NOW + seconds)[0]


def ports(purchase: str = "a", seconds: float = 60.0) -> str:
    return PORTS.issue(purchase.encode(), NOW + seconds)[0]


def test_what_is_good_counts_in_the_order_of_the_client() -> None:
    desk = Desk()
    grant = desk.claim("s", "garbage", ports(), STRANGE, boost())
    assert desk.counts == {"authorization.accepted": 2, "authorization.refused": 2}
    assert [each.access_type for each in grant.active] == ["ports", "boost"]
    assert not grant.revoked


def test_a_server_without_keys_believes_nobody() -> None:
    assert Desk(KeyRing()).claim("s", boost()).active == ()


def test_one_authorization_for_each_access_type() -> None:
    grant = Desk().claim("s", boost("a"), boost("b"))
    assert [each.id for each in grant.active] == [BOOST.issue(b"a", NOW)[1]]


def test_no_more_are_looked_at_than_anybody_has() -> None:
    assert Desk().claim("s", *["garbage"] * (MOST - 1), boost()).active
    assert not Desk().claim("s", *["garbage"] * MOST, boost()).active


def test_the_latest_session_has_it() -> None:
    desk = Desk()
    first = desk.claim("first", boost(), ports())
    second = desk.claim("second", boost())
    assert (first.revoked, second.revoked) == (True, False)
    assert desk.told == ["first"]
    third = desk.claim("third", boost(), ports())  # the first one's other authorization is known to be his
    assert (second.revoked, third.revoked) == (True, False)
    assert desk.told == ["first", "second"]
    assert desk.counts["authorization.revoked"] == 2


def test_a_session_that_connects_again_takes_it_from_nobody() -> None:
    desk = Desk()
    before = desk.claim("s", boost())
    after = desk.claim("s", boost())
    assert not (before.revoked or after.revoked)
    desk.all.release(before)  # the tunnel that hung in the air ends later
    desk.claim("other", boost())
    assert (before.revoked, after.revoked) == (False, True)


def test_clients_without_a_session_id_are_not_one_session() -> None:
    desk = Desk()
    first = desk.claim("", boost())
    assert not desk.claim("", boost()).revoked
    assert first.revoked


def test_what_was_released_is_free() -> None:
    desk = Desk()
    first = desk.claim("first", boost())
    desk.all.release(first)
    desk.claim("second", boost())
    assert not first.revoked


def test_it_expires_in_an_open_tunnel() -> None:
    desk = Desk()
    grant = desk.claim("s", boost(seconds=60), ports(seconds=120))
    grant.expire(NOW + 59)
    assert desk.told == []
    grant.expire(NOW + 60)
    assert [each.access_type for each in grant.active] == ["ports"]
    grant.expire(NOW + 61)
    assert desk.told == ["s"]
    grant.expire(NOW + 120)
    assert grant.active == ()
    assert desk.told == ["s", "s"]
    desk.all.release(grant)
    desk.claim("other", boost(seconds=600), ports(seconds=600))
    assert not grant.revoked


@pytest.mark.parametrize("texts", [[], ["x"] * 100])
def test_nothing_to_hold(texts: list[str]) -> None:
    desk = Desk()
    desk.all.release(desk.claim("s", *texts))
    assert desk.told == []
