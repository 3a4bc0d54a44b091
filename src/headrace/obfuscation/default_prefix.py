"""The spec pairs we ship, in the form of the configuration they stand in for.

http-post     an upload and its answer: a length that covers whatever follows. What classifiers agree on
http-chunked  an upload in chunks, answered in chunks: all that follows is such chunks, to the last
http-get      a page and its answer, for networks that like no uploads; a strict parser is surprised
printable     six printable bytes, then noise: the fallback where HTTP itself is filtered

Servers announce in their entries (SHIPPED_PREFIXES) that they know these pairs. Clients that are not told
otherwise use the default one with such servers, and frame what follows only with them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from headrace.obfuscation.http_heads import CHUNKED, CHUNKED_POST, GET, LARGE, POST, answer
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = [
    "CLIENT_SPECS",
    "DEFAULT_SPEC",
    "FRAMED",
    "SERVER_SPECS",
    "default_prefixes",
    "default_server_prefixes",
]

DEFAULT_SPEC: Final = "http-post"

_SIX: Final = r"[ -~]{6}"
_PAIRS: Final = {
    DEFAULT_SPEC: (POST, answer(LARGE)),
    "http-chunked": (CHUNKED_POST, answer(CHUNKED)),
    "http-get": (GET, answer(LARGE)),
    "printable": (_SIX, _SIX),
}
#: Whose bodies are framed to the end.
FRAMED: Final = frozenset(("http-chunked",))
#: Whose heads are whole requests: alone, they would be answered like anybody's.
_JOINED: Final = frozenset(("http-get",))
_HTTP: Final = frozenset(("http-post", "http-chunked", "http-get"))
#: Seconds between a head and what follows it: what a program needs that has yet to read what it uploads.
_SPLIT_DELAY: Final = (0.0, 0.004)
#: Bytes of padding behind a prefix: noise in quantity is what the prefix is there to avoid.
_PADDING: Final = (32, 992)

CLIENT_SPECS: Final = {name: [["", request]] for name, (request, _) in _PAIRS.items()}
SERVER_SPECS: Final = {name: [["", reply]] for name, (_, reply) in _PAIRS.items()}


def default_prefixes(names: Sequence[str] = (DEFAULT_SPEC,), probability: float = 1.0) -> PrefixSpecs:
    """Return the client's table: one of these specs on every port; a name that is there twice has two shares.

    Raises DocumentError for a name that is none of ours.
    """
    return _compiled(tuple(names), probability)


@cache  # ten milliseconds each
def _compiled(names: tuple[str, ...], probability: float) -> PrefixSpecs:
    return PrefixSpecs.compile(
        {name: request for name, (request, _) in _PAIRS.items() if name in names},
        names_by_port={"": names},
        probability=probability,
        split_delay=_SPLIT_DELAY,
        framed=FRAMED,
        joined=_JOINED,
        completed=_HTTP,
        padding=_PADDING,
    )


def default_server_prefixes(
    others: Mapping[str, str] = MappingProxyType({}), split_delay: tuple[float, float] = _SPLIT_DELAY
) -> PrefixSpecs:
    """Return the server's table, with regular expressions of `others` in place of ours, or beside them.

    Raises DocumentError if one of them cannot be used.
    """
    ours = {name: reply for name, (_, reply) in _PAIRS.items()}
    replies = {**ours, **others}
    completed = frozenset(name for name in _HTTP if replies[name] == ours[name])
    return PrefixSpecs.compile(replies, split_delay=split_delay, completed=completed, padding=_PADDING)
