"""Conditions choose when and to whom measures apply, and the same ones in every run."""

import pytest
from tests.unit.testing.line import connect

from headrace.testing.censorship import DROPPED, REFUSED, RESET, STALL, Way
from headrace.testing.conditions import Between, Chance, Only, Residual, fully_encrypted_blocking
from headrace.testing.measures import PASS, REFUSE, Block, FirstBytes, Lag, Rule, TimeLimit
from headrace.testing.origin import payload

UP, DOWN = Way.UP, Way.DOWN
BODY = payload(1000)


@pytest.mark.parametrize(
    ("host", "port", "hit"),
    [
        ("127.64.0.9", 22, True),
        ("127.64.1.9", 22, False),
        ("127.64.0.9", 23, False),
        ("::1", 22, True),
        ("::2", 22, False),
        ("example.org", 22, True),
        ("example.net", 22, False),
    ],
)
def test_only_some_addresses_and_ports(host: str, port: int, hit: bool) -> None:
    measure = Only(Block(), hosts=["127.64.0.0/24", "::1", "example.org"], ports=[22])
    assert connect(measure, host=host, port=port).inspection.opening.made is not hit


def test_without_a_list_any_will_do() -> None:
    assert not connect(Only(Block()), host="anything").inspection.opening.made
    assert not connect(Only(Block(), ports=[1]), host="anything").inspection.opening.made
    assert connect(Only(Block(), hosts=[])).inspection.opening.made


def test_chance_is_as_likely_as_said_and_the_same_again() -> None:
    def hits(seed: int, probability: float = 0.3) -> list[bool]:
        measure = Chance(REFUSE, probability, seed=seed)
        hosts = [f"127.0.{number // 250}.{number % 250}" for number in range(2000)]
        return [connect(measure, host=host).ending is RESET for host in hosts]

    assert 500 < sum(hits(1)) < 700
    assert hits(1) == hits(1) != hits(2)
    assert (sum(hits(1, 0.0)), sum(hits(1, 1.0))) == (0, 2000)


def test_a_schedule_is_for_openings() -> None:
    measure = Between(Block(REFUSED), 10.0, 20.0)
    made = [connect(measure, now=now).inspection.opening.made for now in (0.0, 9.9, 10.0, 19.9, 20.0)]
    assert made == [True, True, False, False, True]


def test_a_schedule_is_for_connections_from_before_too() -> None:
    line = connect(Between(Rule(RESET, down=10), 10.0, 20.0)).say(DOWN, BODY, 9.0)
    assert not line.struck
    line.say(DOWN, BODY[:9], 10.0)
    assert not line.struck
    line.say(DOWN, BODY, 11.0)
    assert (len(line.down), line.ending) == (len(BODY) + 10, RESET)


def test_a_schedule_ends() -> None:
    line = connect(Between(Rule(STALL, up=10, rate=100), 10.0, 20.0)).say(UP, b"abc", 15.0).wait()
    line.say(UP, BODY, 20.0).wait()
    assert (len(line.up), line.ending) == (1003, None)
    limited = connect(Between(TimeLimit(5.0), 10.0, 20.0)).wait()
    assert limited.struck_at == 10.0  # it was too old when this came into force
    assert connect(Between(TimeLimit(30.0), 10.0, 20.0)).wait().ending is None
    assert connect(Between(TimeLimit(1.0), 10.0, 20.0), now=20.0).wait().ending is None


def test_throttled_for_a_time() -> None:
    line = connect(Between(Rule(rate=100), 0.0, 2.0)).say(DOWN, BODY).wait()
    assert line.down == BODY
    assert line.times[-1][0] == pytest.approx(2.0, abs=0.06)


def test_after_a_hit_the_address_stays_blocked_for_a_while() -> None:
    measure = Residual(FirstBytes(lambda data: data == b"bad", RESET), 180.0, REFUSED)
    connect(measure).say(UP, b"good", 0.0)
    assert connect(measure, now=1.0).inspection.opening.made
    assert connect(measure, now=2.0).say(UP, b"bad", 3.0).ending is RESET
    assert connect(measure, now=4.0).inspection.opening == REFUSED
    assert connect(measure, now=4.0, port=2).inspection.opening.made  # another service there
    assert connect(measure, now=4.0, host="127.0.0.9").inspection.opening.made
    assert not connect(measure, now=182.9).inspection.opening.made
    assert connect(measure, now=183.0).inspection.opening.made
    assert dict(measure.blocked.places) == {("127.0.0.1", 1): 183.0}


def test_being_blocked_is_no_new_hit_but_other_hits_are() -> None:
    opening = Residual(Between(REFUSE, 0.0, 1.0), 100.0)
    connect(opening)
    connect(opening, now=50.0)
    assert connect(opening, now=100.0).inspection.opening.made
    timed = Residual(TimeLimit(10.0), 100.0)
    connect(timed).wait()
    assert timed.blocked.places == {("127.0.0.1", 1): 110.0}


def test_conditions_hand_everything_on() -> None:
    inner = Lag(0.5) & Rule(rate=100, delay=1.0)
    for measure in (Residual(inner, 1.0), Between(inner, 0.0), Only(inner), Chance(inner, 1.0)):
        line = connect(measure).say(UP, BODY[:10]).end(UP).wait()
        assert line.inspection.opening.delay == 1.0
        assert [time for time, _ in line.times] == pytest.approx([0.5, 0.55])
        assert line.finished == [UP]


def test_random_looking_connections_are_blocked_as_was_seen() -> None:
    measure = fully_encrypted_blocking(seed=4)
    hosts = [f"127.0.{number // 250}.{number % 250}" for number in range(1000)]
    struck = [connect(measure, host=host).say(UP, payload(400)).ending is STALL for host in hosts]
    assert 200 < sum(struck) < 330
    after = [connect(measure, host=host, now=179.0).inspection.opening == DROPPED for host in hosts]
    assert after == struck
    assert all(connect(measure, host=host, now=180.0).inspection.opening.made for host in hosts)
    spared = [connect(measure, host=host, now=999.0).say(UP, b"GET / HTTP/1.1\r\n") for host in hosts]
    assert not any(line.ending for line in spared)
    assert connect(PASS).ending is None
