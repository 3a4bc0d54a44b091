"""F3 on captured connections: the part of each direction that is to look random, gathered and judged.

That is everything behind the prefix, the end of the handshake and beyond it, without the sizes of chunks
where the connection is an HTTP body in chunks.
"""

import re
from typing import Final

import scipy

from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.resist.flows import Sample
from headrace.resist.learner import LEARNER_VERSION
from headrace.resist.report import Row
from headrace.resist.uniformity import FLAWS, LEVEL, MEASURES, STREAM_MINIMUM, judge_flaws, judge_streams

__all__ = ["RandomParts", "random_part"]

#: So much of each direction of a connection is judged.
SIZE: Final = 10_000

#: So many connections the bar is for; and the level for fewer.
FULL_SAMPLE: Final = 10_000
SMALL_LEVEL: Final = 1e-5

#: The prefix that is for networks where HTTP is not liked.
PRINTABLE_SIZE: Final = 6

_HEAD: Final = re.compile(rb"(?:(?:GET|POST|PUT) [^\r\n]*|HTTP/1\.1 [^\r\n]*)\r\n.*?\r\n\r\n", re.DOTALL)
_CHUNKED: Final = re.compile(rb"\r\nTransfer-Encoding: *chunked\r\n", re.IGNORECASE)
_CHUNK_HEAD: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_PRINTABLE: Final = re.compile(rb"[ -~]{%d}" % PRINTABLE_SIZE)


def random_part(stream: bytes, most: int = SIZE) -> bytes:
    """Return the first `most` bytes of what is behind a stream's prefix, without the framing of chunks."""
    if head := _HEAD.match(stream):
        if _CHUNKED.search(head[0]):
            return _content(stream, head.end(), most)
        return stream[head.end() : head.end() + most]
    begin = PRINTABLE_SIZE if _PRINTABLE.match(stream) else 0
    return stream[begin : begin + most]


def _content(stream: bytes, place: int, most: int) -> bytes:
    """Return the content of chunks from `place` on, as far as they are there."""
    content = bytearray()
    while len(content) < most and (head := _CHUNK_HEAD.match(stream, place)):
        end = min(head.end() + int(head[1], 16), len(stream))
        content += stream[head.end() : min(end, head.end() + most)]
        place = end + 2
    return bytes(content[:most])


class RandomParts:
    """Gathers samples of one subject, and judges them together.

    A row has a dozen measures, and one of true randomness is to fail as often as its level says: each measure
    is held to a fraction of it. The level is the one of the bar for as many connections as the bar is for; a
    smaller sample, such as is taken on every change, hardly ever fails by chance.
    """

    def __init__(self, *, seed: int = 0, rng: Rng = SYSTEM_RNG) -> None:
        self._seed, self._rng = seed, rng
        self._streams: dict[str, list[bytes]] = {"up": [], "down": []}

    def take(self, sample: Sample) -> None:
        """Keep what is needed of some more connections."""
        for way, streams in self._streams.items():
            parts = (random_part(flow.stream(up=way == "up")) for flow in sample.flows)
            streams += [part for part in parts if part]

    def rows(self, subject: str) -> list[Row]:
        """Return a row for each direction; its hits are measures that are not met."""
        sample = max(len(streams) for streams in self._streams.values())
        level = (LEVEL if sample >= FULL_SAMPLE else SMALL_LEVEL) / MEASURES
        missed = judge_flaws(300, 5000, level=level, seed=self._seed)
        return [self._row(way, subject, level, missed) for way in self._streams]

    def _row(self, way: str, subject: str, level: float, missed: tuple[str, ...]) -> Row:
        streams = self._streams[way]
        enough = sum(len(stream) >= STREAM_MINIMUM for stream in streams)
        measures = judge_streams(streams, level=level, rng=self._rng) if enough else []
        failed = [measure for measure in measures if not measure.met]
        told = failed or sorted(measures, key=lambda measure: measure.p)[:2]
        return Row(
            detector=f"F3 {way}",
            subject=subject,
            sample=enough,
            hits=len(failed),
            bar=f"none of {MEASURES} measures, at {MEASURES * level:g} together",
            met=not failed if enough else None,
            control=f"{len(FLAWS) - len(missed)} of {len(FLAWS)} flaws found",
            control_ok=not missed,
            version=f"scipy {scipy.__version__}, {LEARNER_VERSION}",
            seed=self._seed,
            note="; ".join(f"{measure.name}: {measure.detail}" for measure in told),
            of_sample=False,
        )
