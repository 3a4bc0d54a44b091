"""What a prober may have recorded of a client of ours: the first bytes it sent, prefix and all."""

from dataclasses import dataclass, field
from functools import cache

from headrace.base.rng import Rng
from headrace.obfuscation.default_prefix import CLIENT_SPECS, default_prefixes
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.transports import ClientSide, tunnel_protocol

__all__ = ["Client", "Recording", "shipped_prefixes"]

_ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """A client's first bytes, up to where its SSH begins. `prefix` is how many of them look like HTTP."""

    data: bytes
    prefix: int


@cache
def shipped_prefixes() -> PrefixSpecs:
    """Return a table of all that we ship."""
    return default_prefixes(tuple(CLIENT_SPECS))


@dataclass(frozen=True, slots=True)
class Client:
    """Makes the first bytes of clients of the server with this key (its raw text)."""

    keyword: bytes = field(repr=False)
    prefixes: PrefixSpecs = field(default_factory=shipped_prefixes)

    def record(self, rng: Rng, *, prefixed: bool, padding: int | None = None) -> Recording:
        """Return a client's first bytes that nobody has seen before."""
        prefix = self.prefixes.draw(_ANY_PORT, rng) if prefixed else None
        side = ClientSide(self.keyword, rng, prefix, padding)
        opening = tunnel_protocol("OSSH").client_layer(side).connected()
        assert opening is not None
        return Recording(b"".join(opening.segments), len(prefix.data) if prefix is not None else 0)
