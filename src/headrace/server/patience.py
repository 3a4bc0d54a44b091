"""How long the server waits for a log-in, which is also how long a stranger is held.

Everybody who is not logged in has the same time, from the accept on, whatever they send: so when a connection
ends tells nothing about what the server made of it. But if every server waited equally long, that one number
would tell the servers of a network from all others. So each has a limit of its own.

The reference is the time web servers give a request to come, as they are shipped: what a client with a prefix
speaks is HTTP, and a web server that got a part of a head says nothing either. Nearly all of them wait for
one of a few round numbers, so ours do. A limit that nobody else has, such as 73 s, would not hide a server
but single it out. Shorter ones there are as well, 10 and 20 s in some; an honest client with a slow network
needs more. How common each is has been estimated; nobody counts them.

Which limit is a server's own follows from its obfuscation key: the same after a restart and in every worker,
unknown to whoever does not have the key, and nothing to configure. To it comes, for each connection anew, up
to a sixtieth: at 60 s the second that a server is late which looks at its clock once a second.
"""

import bisect
import hashlib
import hmac
import itertools
from dataclasses import dataclass
from typing import Final

from headrace.base.rng import Rng

__all__ = ["GRACE", "JITTER", "REFERENCE", "Patience", "limit_of"]

#: Seconds that web servers wait for a request's head, and the share of servers that do. 60: nginx, lighttpd,
#: Node.js, Tomcat; 120: HTTP.sys, under IIS; 30: Jetty, and gateways in front of others.
REFERENCE: Final = {60.0: 0.7, 120.0: 0.15, 30.0: 0.15}
#: Part of the limit by which a connection may last longer.
JITTER: Final = 1 / 60
#: Least and most part of the limit for which a stranger is read on after our FIN: 5 to 15 s of 60. Web
#: servers that linger do so for 5 to 30.
GRACE: Final = (1 / 12, 1 / 4)

_LABEL: Final = b"patience"
_QUANTILES: Final = 2**64


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one server waits. `limit` is in seconds."""

    limit: float

    def draw(self, rng: Rng) -> float:
        """Return the seconds that one connection has to log in."""
        return self.limit + self.linger(rng)

    def grace(self, rng: Rng) -> float:
        """Return the seconds that we read on after our FIN, which is not the same each time either."""
        least, most = GRACE
        return self.limit * (least + (most - least) * rng.uniform())

    def linger(self, rng: Rng) -> float:
        """Return the seconds until a stranger who closed his side sees us close ours.

        Deriving a key takes half a millisecond, and only who sent enough has the server do it. Were he
        answered at once, that would be there to measure; in a second that is drawn anew each time it is lost.
        """
        return self.limit * JITTER * rng.uniform()


def limit_of(key: bytes) -> float:
    """Return the seconds that the server with this secret key waits: its quantile of the reference."""
    digest = hmac.digest(key, _LABEL, hashlib.sha256)
    quantile = int.from_bytes(digest[:8], "big") / _QUANTILES
    at_most = list(itertools.accumulate(REFERENCE.values()))
    return list(REFERENCE)[bisect.bisect(at_most, quantile, hi=len(at_most) - 1)]
