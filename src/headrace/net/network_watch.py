"""Notices that the machine is on another network: the kernel says when routes change, we look how.

Routes are renewed all the time without anything being different, and go for a moment when a cable is loose: a
change is another interface, another router, or another address of ours. Outside Linux nothing is noticed.
"""

import asyncio
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.net.default_route import DefaultRoute, default_route
from headrace.net.routes import source_address

__all__ = ["NetworkWatch", "Place", "current_place"]

#: Seconds to let changes come together before looking.
SETTLE: Final = 0.5
#: Seconds between further looks, and how many, while the router's hardware address is not known yet.
LOOK_AGAIN, LOOKS = 1.0, 10
#: Links, addresses and routes of both families (linux/rtnetlink.h, RTMGRP_*).
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_READ: Final = 65536


@dataclass(frozen=True, slots=True)
class Place:
    """Where we are in the network: the default route, and the IPv4 address that we have on it."""

    route: DefaultRoute
    source: str | None = None

    def differs(self, other: "Place") -> bool:
        """Say whether a connection that was made at one place is of no use at the other."""
        mine, theirs = self.route, other.route
        return (
            (mine.interface, mine.gateway, self.source) != (theirs.interface, theirs.gateway, other.source)
            # one that is not known yet, or not known any more, says nothing
            or bool(mine.hardware and theirs.hardware and mine.hardware != theirs.hardware)
        )


def current_place(root: Path = Path("/")) -> Place | None:
    """Return where we are, None without a default route."""
    route = default_route(root)
    return None if route is None else Place(route, source_address())


class NetworkWatch:
    """Calls `changed` when the machine is at a place that differs from the last one where it was."""

    def __init__(
        self,
        changed: Callable[[], None],
        look: Callable[[], Place | None] = current_place,
        *,
        settle: float = SETTLE,
    ) -> None:
        self._changed = changed
        self._look = look
        self._settle = settle
        self._place = look()
        self._news = asyncio.Event()

    def notice(self) -> None:
        """Something about routes may have changed."""
        self._news.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        subscription = _subscribe()
        if subscription is not None:
            asyncio.get_running_loop().add_reader(subscription, self._drain, subscription)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await asyncio.sleep(self._settle)
                for _ in range(LOOKS):
                    if self._compare():
                        break
                    await asyncio.sleep(LOOK_AGAIN)
        finally:
            if subscription is not None:
                asyncio.get_running_loop().remove_reader(subscription)
                subscription.close()

    def _compare(self) -> bool:
        """Look where we are; return whether that is certain."""
        before, place = self._place, self._look()
        if place is None:
            return True  # what counts is where we are once there is a network again
        if before is None or before.differs(place):
            self._place = place
            if before is not None:
                self._changed()
        elif place.route.hardware:
            self._place = place
        return bool(place.route.hardware or not place.route.gateway)

    def _drain(self, subscription: socket.socket) -> None:
        try:
            while subscription.recv(_READ):
                self.notice()
        except BlockingIOError:
            pass
        except OSError:  # more news than the kernel keeps for us
            self.notice()


def _subscribe() -> socket.socket | None:
    """Return a socket on which the kernel tells of changes, None where it does not."""
    if sys.platform != "linux":
        return None
    try:
        subscription = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        subscription.setblocking(False)
        subscription.bind((0, _GROUPS))
    except OSError:
        subscription.close()
        return None
    return subscription
