"""The probes of each class, P1 to P8. How many there are of each is the caller's choice.

The variants of a class (lengths, protocols, places to cut) have equal shares; where there are fewer probes
than variants, those are spread over all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from headrace.base.rng import Rng
from headrace.obfuscation.preamble import HEAD_SIZE, SEED_SIZE, TERMINATOR_SIZE
from headrace.resist.probes.greetings import GREETINGS
from headrace.resist.probes.probe import Probe, Then
from headrace.resist.probes.recording import Client, Recording

__all__ = ["FULL", "LENGTHS", "OTHER_ADDRESS", "TIMED", "Material", "probes_of"]

#: Lengths of random probes.
LENGTHS: Final = (
    *range(1, 129),
    *(129 + round(step * (8192 - 129) / 63) for step in range(64)),
    65_536,
    200_000,
)
#: Where a seed message is cut: in and around each of its fields, and one byte short of complete.
_CUTS: Final = (1, 8, 15, SEED_SIZE, 17, 23, HEAD_SIZE, 25, HEAD_SIZE + 20, -1)
#: And with a prefix: parts of the prefix, and bytes behind it, up to the magic.
_PREFIX_CUTS: Final = (0.1, 0.5, 0.9, 1.0)
_BEHIND_PREFIX: Final = (
    1,
    TERMINATOR_SIZE - 1,
    TERMINATOR_SIZE,
    TERMINATOR_SIZE + 1,
    TERMINATOR_SIZE + HEAD_SIZE,
)
#: Recordings without a prefix and with one are not longer: each byte of them is altered.
_SIZES: Final = {False: 100, True: 900}
_DRIPS: Final = 8
_GARBAGE: Final = 2000
#: Where replays come from that do not come from the client's own address (on loopback).
OTHER_ADDRESS: Final = "127.0.0.2"

#: How many probes make a full set of each class.
FULL: Final[Mapping[str, int]] = {
    "P1": 10 * len(LENGTHS),
    "P2": 50 * len(GREETINGS),
    "P3": 50 * (len(_CUTS) + len(_PREFIX_CUTS) + len(_BEHIND_PREFIX)),
    "P4": 200 * 4,
    "P5": sum(_SIZES.values()),
    "P6": 100 * 2,
    "P7": 100 * 2,
    "P8": 50 * 6,
}
#: The classes whose probes wait until the server ends it.
TIMED: Final = ("P1", "P2", "P3", "P4", "P5", "P7")


@dataclass(frozen=True, slots=True)
class Material:
    """What a prober has. The `recordings` are of clients whom the server answered, with a prefix and without.

    `stranger` makes what clients of another server send. `pace` is the time between the pieces of a slow
    probe, in seconds.
    """

    client: Client
    stranger: Client
    recordings: Sequence[Recording]
    pace: float


_Variant = Callable[[Material, Rng], Probe]


def probes_of(kind: str, material: Material, rng: Rng, count: int) -> list[Probe]:
    """Return `count` probes of a class."""
    variants = _CLASSES[kind]
    few = count < len(variants)
    places = [number * len(variants) // count if few else number % len(variants) for number in range(count)]
    return [variants[place](material, rng) for place in places]


# ---- P1, P2: what knows nothing of us ---------------------------------------------------------------------


def _random(length: int, material: Material, rng: Rng) -> Probe:
    return Probe("P1", f"{length} bytes", (rng.bytes(length),))


def _greeting(name: str, material: Material, rng: Rng) -> Probe:
    return Probe("P2", name, (GREETINGS[name](rng),))


# ---- P3: a part of something good -------------------------------------------------------------------------


def _cut(end: int, material: Material, rng: Rng) -> Probe:
    data = material.client.record(rng, prefixed=False).data[:end]
    return Probe("P3", f"seed message [:{end}]", (data,))


def _cut_prefix(part: float, material: Material, rng: Rng) -> Probe:
    recording = material.client.record(rng, prefixed=True)
    return Probe("P3", f"{part:.0%} of a prefix", (recording.data[: round(part * recording.prefix)],))


def _cut_behind_prefix(size: int, material: Material, rng: Rng) -> Probe:
    recording = material.client.record(rng, prefixed=True)
    return Probe("P3", f"prefix and {size} bytes", (recording.data[: recording.prefix + size],))


# ---- P4: time only ----------------------------------------------------------------------------------------


def _sent_at_once(size: int, material: Material, rng: Rng) -> Probe:
    return Probe("P4", f"{size} bytes, then silence", (rng.bytes(size),) if size else ())


def _dripping(material: Material, rng: Rng) -> Probe:
    return Probe("P4", "a byte now and then", tuple(rng.bytes(1) for _ in range(_DRIPS)), material.pace)


# ---- P5, P6: what was recorded ----------------------------------------------------------------------------


def _flipped(prefixed: bool, place: int, material: Material, rng: Rng) -> Probe:
    data = bytearray(rng.choice([one for one in material.recordings if (one.prefix > 0) == prefixed]).data)
    data[place % len(data)] ^= 1 << rng.between(0, 7)
    return Probe("P5", "one bit flipped", (bytes(data),))


def _replay(source: str, material: Material, rng: Rng) -> Probe:
    recording = rng.choice(material.recordings)
    return Probe(
        "P6", "from another address" if source else "from the same", (recording.data,), source=source
    )


# ---- P7: the wrong key, or the right one and nothing behind it --------------------------------------------


def _of_another_server(prefixed: bool, material: Material, rng: Rng) -> Probe:
    return Probe("P7", "another server's", (material.stranger.record(rng, prefixed=prefixed).data,))


def _garbage_behind(prefixed: bool, material: Material, rng: Rng) -> Probe:
    good = material.client.record(rng, prefixed=prefixed).data
    return Probe("P7", "garbage behind a good preamble", (good + rng.bytes(_GARBAGE),), knows=True)


# ---- P8: what TCP can do ----------------------------------------------------------------------------------


def _leaving(then: Then, material: Material, rng: Rng) -> Probe:
    return Probe("P8", then, (rng.bytes(rng.between(1, 200)),), then=then)


def _half_closed_early(material: Material, rng: Rng) -> Probe:
    return Probe("P8", "half-close of a cut preamble", _cut(25, material, rng).pieces, then=Then.HALF_CLOSE)


def _urgent(material: Material, rng: Rng) -> Probe:
    return Probe("P8", "urgent", (rng.bytes(rng.between(1, 50)),), urgent=True)


def _byte_by_byte(material: Material, rng: Rng) -> Probe:
    data = rng.bytes(rng.between(20, 60))
    return Probe("P8", "segments of a byte", tuple(data[i : i + 1] for i in range(len(data))))


_CLASSES: Final[Mapping[str, Sequence[_Variant]]] = {
    "P1": [partial(_random, length) for length in LENGTHS],
    "P2": [partial(_greeting, name) for name in GREETINGS],
    "P3": [
        *(partial(_cut, end) for end in _CUTS),
        *(partial(_cut_prefix, part) for part in _PREFIX_CUTS),
        *(partial(_cut_behind_prefix, size) for size in _BEHIND_PREFIX),
    ],
    "P4": [*(partial(_sent_at_once, size) for size in (0, 1, HEAD_SIZE)), _dripping],
    "P5": [partial(_flipped, form, place) for form, size in _SIZES.items() for place in range(size)],
    "P6": [partial(_replay, ""), partial(_replay, OTHER_ADDRESS)],
    "P7": [
        *(partial(_of_another_server, prefixed) for prefixed in (False, True)),
        *(partial(_garbage_behind, prefixed) for prefixed in (False, True)),
    ],
    "P8": [
        *(partial(_leaving, then) for then in Then if then is not Then.STAY),
        _half_closed_early,
        _urgent,
        _byte_by_byte,
    ],
}
