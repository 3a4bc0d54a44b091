"""Connections that turned out not to be a client's: counted all, and told of one by one within limits."""

from collections.abc import Mapping
from typing import Final

from headrace.obfuscation.server import RejectReason
from headrace.server.geoip import Place
from headrace.server.stats.event_log import EventLog
from headrace.server.stats.request_fields import place_fields

__all__ = ["Strangers", "reason_name"]

_MINUTE: Final = 60.0
_NAMES: Final = {reason.value: reason.name.lower() for reason in RejectReason}


def reason_name(reason: str) -> str:
    """Return the reason in a word, of which there are few: strangers must not make up counters."""
    return _NAMES.get(reason, "not_ssh")


class Strangers:
    """Writes `irregular_tunnel`, at most `most` in a minute. `host` is what every line says of the server."""

    def __init__(self, events: EventLog, most: int, host: Mapping[str, object]) -> None:
        self._events = events
        self._most = most
        self._host = host
        self._minute = 0
        self._told = 0
        self._untold = 0

    def tell(self, protocol: str, port: int, reason: str, place: Place, now: float) -> None:
        """Tell of one, if there were not too many. The first line after some that were left out says so."""
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        if self._told >= self._most:
            self._untold += 1
            return
        self._told += 1
        untold, self._untold = self._untold, 0
        self._events.write(
            "irregular_tunnel",
            {
                **self._host,
                **place_fields(place),
                "listener_protocol": protocol,
                "listener_port_number": port,
                "tunnel_error": reason,
                **({"untold": untold} if untold else {}),
            },
        )
