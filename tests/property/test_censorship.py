"""However a connection's bytes come in pieces, the censor does the same; and never more than it says."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.testing.line import connect

from headrace.testing.censorship import Ending, Measure, Way
from headrace.testing.conditions import Between, Chance, Only, Residual
from headrace.testing.first_packets import exemptions, looks_fully_encrypted
from headrace.testing.measures import FirstBytes, Lag, Rule
from headrace.testing.tampering import Corrupt, Inject, Swallow

OFFSETS = st.integers(1, 300)
WAYS = st.sampled_from(Way)
PIECES = st.lists(st.binary(min_size=1, max_size=60), max_size=12)


def cut(ending: Ending, down: int | None, up: int | None, rate: float | None) -> Rule:
    return Rule(ending, down=down, up=up, rate=rate)


MEASURES = st.recursive(
    st.builds(
        cut,
        st.sampled_from(Ending),
        st.none() | OFFSETS,
        st.none() | OFFSETS,
        st.none() | st.floats(1.0, 1e6),
    )
    | st.builds(
        Corrupt, WAYS, st.sets(OFFSETS, max_size=3), st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 9)
    )
    | st.builds(Inject, st.binary(max_size=9), to=WAYS, seen=WAYS, after=OFFSETS)
    | st.builds(Swallow, WAYS, OFFSETS)
    | st.builds(Lag, st.floats(0.0, 9.0))
    | st.builds(FirstBytes, st.just(lambda data: sum(data) % 2 == 0), enough=OFFSETS, held=st.just(True)),
    lambda inner: (
        st.builds(lambda one, other: one & other, inner, inner)
        | st.builds(Chance, inner, st.floats(0.0, 1.0))
        | st.builds(Between, inner, st.just(0.0))
        | st.builds(Residual, inner, st.just(1.0))
        | st.builds(Only, inner)
    ),
    max_leaves=4,
)


@given(MEASURES, PIECES)
def test_a_connection_ends_somewhere_and_time_always_moves_on(measure: Measure, pieces: list[bytes]) -> None:
    line = connect(measure)
    for number, piece in enumerate(pieces):
        line.say(Way.UP, piece, float(number)).say(Way.DOWN, piece, float(number))
    line.end(Way.UP, 20.0).end(Way.DOWN, 20.0).wait()
    times = [time for time, _ in line.times]
    assert times == sorted(times)
    assert line.ending is not None or set(line.finished) == set(Way)
    said = b"".join(pieces)
    assert all(flow.first == said[:64] for flow in line.inspection.flows.values())


@given(
    WAYS,
    OFFSETS,
    st.lists(st.builds(Corrupt, WAYS, st.sets(OFFSETS, max_size=3), st.sampled_from([0.0, 0.1])), max_size=2),
    PIECES,
    st.data(),
)
def test_pieces_make_no_difference(
    way: Way, size: int, corruptions: list[Corrupt], pieces: list[bytes], data: st.DataObject
) -> None:
    said = b"".join(pieces)
    inject = Inject(b"forged", to=way, seen=way, after=data.draw(OFFSETS))
    measure: Measure = inject & Swallow(way.back, 10)
    for corruption in corruptions:
        measure &= corruption
    measure &= Rule(**{way.name.lower(): size})  # type: ignore[arg-type]
    whole, cut_up = connect(measure), connect(measure)
    whole.say(way, said)
    for piece in pieces:
        cut_up.say(way, piece)
    assert whole.out == cut_up.out
    assert whole.ending == cut_up.ending
    assert len(whole.out[way]) <= size


@given(st.binary(max_size=2000))
def test_every_first_packet_is_judged(packet: bytes) -> None:
    assert looks_fully_encrypted(packet) is not bool(exemptions(packet))
