"""Whom an establishment tries, whatever is known and whatever happens; replay under whatever clock."""

from collections import Counter
from contextlib import suppress
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.dialable import entry

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.client.servers import FixedServers
from headrace.establishment.candidates import Candidates, Nothing
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.latency import LEAST, MOST, draw_multiplier
from headrace.establishment.order import front
from headrace.establishment.replay import MemoryRecords, Replay
from headrace.establishment.replay_record import ReplayRecord

ENTRIES = [
    entry(0),
    entry(1, capabilities=["SSH"]),
    entry(2, capabilities=["OSSH"]),
    entry(3, capabilities=["QUIC"]),
    entry(4, sshObfuscatedKey=None),
    entry(5),
    entry(6, capabilities=["OSSH"]),
    entry(7),
]
ADDRESSES = [each.ip_address for each in ENTRIES]
PROTOCOLS = st.sampled_from([(), ("SSH",), ("OSSH",), ("SSH", "OSSH")])
times = st.floats(allow_nan=False, allow_infinity=False)


def looking(seed: int, settings: DialSettings, worked: list[int] | None = None) -> Candidates:
    replay = Replay(MemoryRecords(), settings, SeededRng(seed), now=lambda: 0.0)
    for number in worked or []:
        with suppress(DocumentError):
            replay.succeeded(choose(ENTRIES[number], "OSSH", SeededRng(seed)))
    candidates = Candidates(FixedServers(ENTRIES), settings, SeededRng(seed), replay)
    candidates.begin_round(first=True)
    return candidates


def rest(candidates: Candidates) -> list[DialParameters]:
    found = []
    while (attempt := candidates.take()) is not Nothing.NOBODY:
        if isinstance(attempt, DialParameters):
            found.append(attempt)
    return found


@given(
    st.integers(0, 2**32),
    PROTOCOLS,
    PROTOCOLS,
    st.integers(0, 9),
    st.lists(st.integers(0, 7), max_size=4),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(ADDRESSES)), max_size=4),
)
def test_in_a_round_everybody_is_tried_once_and_as_allowed(
    seed: int,
    limit: tuple[str, ...],
    first_limit: tuple[str, ...],
    first: int,
    worked: list[int],
    arrivals: list[tuple[int, str]],
) -> None:
    settings = DialSettings(
        limit_protocols=limit, initial_limit_protocols=first_limit, initial_limit_candidates=first
    )
    candidates = looking(seed, settings, worked)
    found: list[DialParameters] = []
    for after, address in sorted(arrivals):
        while len(found) < after and isinstance(attempt := candidates.take(), DialParameters):
            found.append(attempt)
        if address not in [attempt.host for attempt in found]:
            candidates.add([address])
    found += rest(candidates)
    tried = [attempt.host for attempt in found]
    assert len(tried) == len(set(tried))
    assert [attempt.candidate_number for attempt in found] == list(range(1, len(found) + 1))
    for attempt in found:
        assert attempt.protocol in (*(limit or ("SSH", "OSSH")), *(first_limit if first else ()))
        assert attempt.entry.supports(attempt.protocol)
    able = {each.ip_address for each in ENTRIES if settings.protocols(each)} - {ADDRESSES[4]}
    assert able <= set(tried)


@given(st.integers(0, 2**32))
def test_every_order_is_as_likely_and_every_protocol_is_drawn(base: int) -> None:
    firsts: Counter[str] = Counter()
    protocols: Counter[str] = Counter()
    seeds = Random(base)  # those of generators must not lie side by side, or they begin alike
    for _ in range(300):
        attempt = rest(looking(seeds.getrandbits(64), DialSettings()))[0]
        firsts[attempt.host] += 1
        if attempt.host == ADDRESSES[0]:
            protocols[attempt.protocol] += 1
    assert len(firsts) == 7  # all that can be dialled; each about 46 times, one of them half as often
    assert min(firsts.values()) > 2
    assert len(protocols) == 2


@given(
    st.sampled_from(["", *ADDRESSES]),
    st.lists(st.sampled_from(ADDRESSES), unique=True),
    st.integers(-1, 9),
    st.floats(0, 1),
    st.booleans(),
    st.integers(),
)
def test_the_beginning_of_a_round(
    favourite: str, recent: list[str], most: int, later: float, first: bool, seed: int
) -> None:
    settings = DialSettings(max_moved_to_front=most, replay_later_round_probability=later)
    ahead = front(favourite, recent, SeededRng(seed), settings, first_round=first)
    assert len(ahead) == len(set(ahead))
    assert set(ahead) <= {favourite, *recent} - {""}
    if first and favourite:
        assert ahead[0] == favourite
    if most >= 0:
        assert len([address for address in ahead if address != favourite]) <= most


@given(st.integers(), st.floats(allow_nan=False))
def test_patience_has_bounds(seed: int, steepness: float) -> None:
    assert LEAST <= draw_multiplier(SeededRng(seed), steepness) <= MOST


@given(st.lists(st.tuples(times, st.sampled_from(["look", "worked", "failed", "forget"])), max_size=20))
def test_replay_comes_to_no_harm_by_any_clock(events: list[tuple[float, str]]) -> None:
    clock = [0.0]
    records = MemoryRecords()
    settings = DialSettings()
    replay = Replay(records, settings, SeededRng(1), now=lambda: clock[0])
    attempt = choose(ENTRIES[0], "OSSH", SeededRng(2))
    replay.succeeded(attempt)
    for now, event in events:
        clock[0] = now
        kept = records.get(ADDRESSES[0], "")
        again = replay.choose(ENTRIES[0], ["OSSH"])
        if again is not None:
            assert kept is not None
            assert now - ReplayRecord.decode(kept).last_used < settings.replay_ttl
            assert (again.padding, again.seed) == (attempt.padding, attempt.seed)
        if event == "worked":
            replay.succeeded(again or attempt)
            assert replay.choose(ENTRIES[0], ["OSSH"]) is not None
        elif event == "failed":
            replay.failed(again or attempt)
        elif event == "forget":
            replay.forget(ADDRESSES[0])
            assert replay.choose(ENTRIES[0], ["OSSH"]) is None


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_record_is_read_or_refused(data: bytes) -> None:
    with suppress(DocumentError):
        assert ReplayRecord.decode(ReplayRecord.decode(data).encode()) is not None
