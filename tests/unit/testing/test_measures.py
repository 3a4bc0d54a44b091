"""Each measure does to the byte and to the second what it says, and nothing else; together they add up."""

import pytest
from tests.unit.testing.line import Line, connect

from headrace.testing.censorship import (
    CLOSE,
    DROPPED,
    REFUSED,
    RESET,
    RESET_CLIENT,
    STALL,
    Ending,
    Measure,
    Opening,
    Way,
)
from headrace.testing.measures import PASS, REFUSE, Block, FirstBytes, Lag, Raid, Rule, TimeLimit
from headrace.testing.origin import payload
from headrace.testing.tampering import Corrupt, Inject, Swallow

UP, DOWN = Way.UP, Way.DOWN
BODY = payload(1000)


def differences(first: bytes, second: bytes) -> list[int]:
    assert len(first) == len(second)
    return [place for place, (one, other) in enumerate(zip(first, second, strict=True)) if one != other]


def test_without_a_measure_everything_passes_at_once() -> None:
    line = connect(PASS).say(UP, BODY).say(DOWN, BODY[::-1]).end(UP)
    assert (line.up, line.down, line.finished, line.ending) == (BODY, BODY[::-1], [UP], None)
    assert line.inspection.wake is None


@pytest.mark.parametrize("ending", Ending)
def test_a_rule_strikes_when_its_last_byte_has_passed(ending: Ending) -> None:
    line = connect(Rule(ending, up=100, down=50)).say(DOWN, BODY[:49]).say(UP, BODY[:99])
    assert not line.struck
    line.say(DOWN, BODY[49:200])
    assert (line.down, line.up, line.ending) == (BODY[:50], BODY[:99], ending)
    line.say(UP, BODY).end(UP)
    assert (line.up, line.finished) == (BODY[:99], [])  # nothing comes after


def test_a_rule_for_nothing_strikes_before_anything() -> None:
    assert connect(REFUSE).inspection.opening == Opening(ending=RESET)
    assert connect(Rule(STALL, up=0, delay=3.0)).inspection.opening == Opening(3.0, STALL)
    assert connect(Rule(STALL, up=1, delay=3.0)).inspection.opening == Opening(3.0)


@pytest.mark.parametrize("how", [REFUSED, DROPPED])
def test_blocked_is_never_connected(how: Opening) -> None:
    assert connect(Block(how)).inspection.opening == how
    assert not how.made


def test_throttled_bytes_come_one_after_the_other() -> None:
    line = connect(Rule(rate=100)).say(DOWN, BODY).end(DOWN).wait()
    assert line.down == BODY
    assert line.finished == [DOWN]
    assert [time for time, _ in line.times] == pytest.approx([number / 20 for number in range(200)])
    line = connect(Rule(rate=100)).say(DOWN, BODY).say(UP, BODY).wait(5.0)
    assert (len(line.down), len(line.up)) == (505, 505)  # each way


def test_a_lag_delays_and_does_not_throttle() -> None:
    line = connect(Lag(0.3)).say(DOWN, BODY).say(UP, b"abc", 0.1).end(UP, 0.2).wait()
    assert [time for time, _ in line.times] == pytest.approx([0.3, 0.4])
    assert (line.down, line.up, line.finished) == (BODY, b"abc", [UP])


def test_a_strike_is_late_with_what_came_before_it() -> None:
    line = connect(Lag(0.3) & Rule(RESET, down=10)).say(DOWN, BODY).wait()
    assert (line.down, line.ending, line.struck_at) == (BODY[:10], RESET, 0.3)


def test_one_direction_goes_quiet() -> None:
    line = connect(Swallow(DOWN, after=10)).say(DOWN, BODY[:4]).say(DOWN, BODY[4:]).say(UP, BODY)
    assert (line.down, line.up, line.ending) == (BODY[:10], BODY, None)


def test_bits_are_flipped_at_places() -> None:
    line = connect(Corrupt(UP, at=[0, 99, 100, 5000]))
    line.say(UP, BODY[:100]).say(UP, BODY[100:]).say(DOWN, BODY)
    assert differences(line.up, BODY) == [0, 99, 100]
    assert line.down == BODY
    flipped = [line.up[place] ^ BODY[place] for place in (0, 99, 100)]
    assert all(bits.bit_count() == 1 for bits in flipped)


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.1, 60, 140), (1.0, 1000, 1000)])
def test_bits_are_flipped_anywhere(probability: float, least: int, most: int) -> None:
    line = connect(Corrupt(DOWN, probability=probability, seed=3)).say(DOWN, BODY)
    assert least <= len(differences(line.down, BODY)) <= most
    again = connect(Corrupt(DOWN, probability=probability, seed=3)).say(DOWN, BODY)
    assert again.down == line.down


def test_chances_differ_between_connections_and_hosts_and_seeds() -> None:
    def seen(seed: int, **where: object) -> bytes:
        return connect(Corrupt(DOWN, probability=0.1, seed=seed), **where).say(DOWN, BODY).down  # type: ignore[arg-type]

    variants = [seen(0), seen(1), seen(0, number=1), seen(0, host="127.0.0.2")]
    assert len(set(variants)) == 4
    assert seen(0, port=99) == seen(0)  # ports on loopback are another each time


@pytest.mark.parametrize(
    ("measure", "up", "down"),
    [
        (Inject(b"!!"), b"abcdef", b"!!"),
        (Inject(b"!!", after=4), b"abcdef", b"!!"),
        (Inject(b"!!", after=7), b"abcdef", b""),
        (Inject(b"!!", to=UP), b"!!abcdef", b""),
        (Inject(b"!!", to=UP, after=4), b"abcd!!ef", b""),
        (Inject(b"!!", to=UP, after=6), b"abcdef!!", b""),
        (Inject(b"!!", to=UP, seen=DOWN), b"abcdef", b""),
    ],
)
def test_forged_bytes_come_at_their_place(measure: Inject, up: bytes, down: bytes) -> None:
    for pieces in ([b"abcdef"], [b"abc", b"def"], [bytes([byte]) for byte in b"abcdef"]):
        line = connect(measure)
        for piece in pieces:
            line.say(UP, piece)
        assert (line.up, line.down) == (up, down)
        assert line.inspection.flows[DOWN].passed == 0  # forged bytes have not come from there


def test_a_connection_has_its_time() -> None:
    line = connect(TimeLimit(60.0, CLOSE), now=5.0).say(UP, b"a", 64.9)
    assert not line.struck
    assert line.inspection.wake == 65.0
    line.wait()
    assert (line.ending, line.struck_at) == (CLOSE, 65.0)


def test_a_raid_ends_what_is_there_and_nothing_later() -> None:
    raid = Raid(300.0)
    assert [connect(raid, now=time).wait().struck_at for time in (0.0, 299.0)] == [300.0, 300.0]
    late = connect(raid, now=300.0).say(UP, BODY, 400.0)
    assert (late.ending, late.up, late.inspection.wake) == (None, BODY, None)


def test_first_bytes_are_looked_at_as_they_pass() -> None:
    measure = FirstBytes(lambda data: data.startswith(b"SSH-"))
    line = connect(measure).say(UP, b"SSH-2.0\r\n")
    assert (line.up, line.ending) == (b"SSH-2.0\r\n", STALL)
    line = connect(measure).say(DOWN, b"SSH-").say(UP, b"S").say(UP, b"SH-2.0").say(UP, b"SSH-")
    assert (line.up, line.ending) == (b"SSH-2.0SSH-", None)  # only what came first counts


@pytest.mark.parametrize("held", [False, True])
def test_first_bytes_may_be_waited_for_and_held(held: bool) -> None:
    measure = FirstBytes(lambda data: data == b"SSH-", RESET, enough=4, held=held)
    guilty = connect(measure).say(UP, b"SS")
    assert guilty.up == (b"" if held else b"SS")
    guilty.say(UP, b"H-")
    assert (guilty.up, guilty.ending) == (b"" if held else b"SSH-", RESET)
    other = connect(measure).say(UP, b"GE").say(UP, b"T /").say(UP, b"more")
    assert (other.up, other.ending) == (b"GET /more", None)


def test_no_more_than_a_packet_is_looked_at() -> None:
    seen: list[bytes] = []

    def look(data: bytes) -> bool:
        seen.append(data)
        return False

    connect(FirstBytes(look)).say(UP, payload(5000)).say(UP, b"more")
    assert seen == [payload(5000)[:1460]]
    connect(FirstBytes(look, way=DOWN)).say(UP, b"a").say(DOWN, b"b")
    assert seen[1:] == [b"b"]


# ---- together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "down", "ending"),
    [
        (Rule(RESET, down=10) & Rule(STALL, down=20), 10, RESET),
        (Rule(RESET, down=20) & Rule(STALL, down=10), 10, STALL),  # fewer bytes: first
        (Rule(RESET, down=10) & Rule(STALL, down=10), 10, RESET),
        (Swallow(DOWN, after=5) & Rule(STALL, down=10), 5, None),  # the second one counts what is left
        (Rule(STALL, down=10) & Swallow(DOWN, after=5), 5, STALL),
        (PASS & PASS & Rule(CLOSE, down=7) & PASS, 7, CLOSE),
    ],
)
def test_of_several_that_strike_the_first_one_does(measure: Measure, down: int, ending: Ending) -> None:
    line = connect(measure).say(DOWN, BODY)
    assert (line.down, line.ending) == (BODY[:down], ending)


def test_delays_add_up_and_the_first_refusal_counts() -> None:
    measure = Rule(delay=1.0) & Rule(delay=2.0)
    assert connect(measure).inspection.opening == Opening(3.0)
    blocked = measure & Block(REFUSED) & Block(DROPPED) & Rule(delay=9.0)
    assert connect(blocked).inspection.opening == Opening(3.0, RESET, made=False)


def test_the_slower_and_the_sooner_count() -> None:
    line = connect(Rule(rate=100) & Rule(rate=1000) & TimeLimit(5.0) & TimeLimit(3.0)).say(UP, BODY).wait()
    assert (line.ending, line.struck_at) == (RESET, 3.0)
    assert len(line.up) == pytest.approx(300, abs=5)


def test_the_forged_is_not_lost_between_others() -> None:
    line = connect(PASS & Inject(b"!!") & Rule(RESET_CLIENT, up=3)).say(UP, BODY)
    assert (line.up, line.down, line.ending) == (BODY[:3], b"!!", RESET_CLIENT)


def test_who_falls_behind_is_to_be_held_up() -> None:
    line: Line = connect(Rule(rate=10)).say(UP, bytes(1 << 19))
    assert line.inspection.full(UP)
    assert not line.inspection.full(DOWN)
    late = connect(Lag(5.0)).say(UP, bytes(1 << 24))
    assert late.inspection.full(UP)
    assert not late.wait().inspection.full(UP)
