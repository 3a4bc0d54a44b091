"""The connections to origins that are kept for later requests, whoever makes them (client spec §2.3)."""

from typing import Final

from headrace.base.errors import NetworkError
from headrace.client.forward_stream import ForwardFailed
from headrace.client.http_origin import Asker, HttpOrigin, Place
from headrace.client.local_connection import OPEN_TIMEOUT, PortForwarder
from headrace.net.deadlines import Deadlines
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["HttpOrigins"]

#: Seconds for the head of the response once the request is out.
RESPONSE_TIMEOUT: Final = 15.0
#: Seconds for which a connection is kept without a request.
KEPT_FOR: Final = 90.0
#: Most connections that are kept to one origin, and to all.
MAX_KEPT_EACH: Final = 50
MAX_KEPT: Final = 512


class HttpOrigins:
    """A pool. Timeouts for responses are `latency` times as long."""

    def __init__(self, forwarder: PortForwarder, latency: float = 1.0) -> None:
        self.forwarder = forwarder
        loop = forwarder.loop
        self.opening = Deadlines(loop, OPEN_TIMEOUT, HttpOrigin.timed_out)
        self.answering = Deadlines(loop, RESPONSE_TIMEOUT * latency, HttpOrigin.timed_out)
        self._kept = Deadlines(loop, KEPT_FOR, HttpOrigin.close)
        self._by_place: dict[Place, list[HttpOrigin]] = {}

    def take(self, place: Place, asker: Asker) -> HttpOrigin | None:
        """Return a connection that was kept, the one used last, if there is any."""
        kept = self._by_place.get(place)
        if not kept:
            return None
        origin = kept.pop()
        self._kept.stop(origin)
        origin.lend(asker)
        return origin

    def connect(self, place: Place, asker: Asker) -> HttpOrigin:
        """Begin a new connection; the asker hears when it is ready. Raises ForwardFailed."""
        origin, destination = HttpOrigin(self, place, asker), Destination(*place)
        split = self.forwarder.split
        if split is not None and split.bypasses(destination):
            origin.go_directly(split, destination)
        elif not destination.possible:
            raise ForwardFailed(Failure.UNREACHABLE)
        else:
            try:
                self.forwarder.open_forward(destination, origin)
            except NetworkError as error:
                raise ForwardFailed(Failure.NO_TUNNEL) from error
            self.opening.start(origin)
        return origin

    def keep(self, origin: HttpOrigin) -> None:
        """Take a connection back that is good for another request."""
        kept = self._by_place.setdefault(origin.place, [])
        kept.append(origin)
        self._kept.start(origin)
        if len(kept) > MAX_KEPT_EACH:
            kept[0].close()
        elif len(self._kept) > MAX_KEPT:
            self._kept.hasten()

    def forget(self, origin: HttpOrigin) -> None:
        """Do not lend a connection again, and wait for nothing from it."""
        for deadlines in (self.opening, self.answering, self._kept):
            deadlines.stop(origin)
        kept = self._by_place.get(origin.place, [])
        if origin in kept:
            kept.remove(origin)
            if not kept:
                del self._by_place[origin.place]

    def close(self) -> None:
        """Close what is kept."""
        self._kept.close()
