"""Clients by session: the newest tunnel counts, and a session is known for a while after its last one."""

import asyncio

import pytest

from headrace.server import clients
from headrace.server.clients import KNOWN, Clients

pytestmark = pytest.mark.virtual_time


class Tunnel:
    def __init__(self) -> None:
        self.is_superseded = False

    def superseded(self) -> None:
        self.is_superseded = True


async def test_the_newest_tunnel_counts() -> None:
    everybody = Clients()
    first, second, other = Tunnel(), Tunnel(), Tunnel()
    assert everybody.arrived("a", first)
    assert everybody.arrived("b", other)
    assert not everybody.arrived("a", second)
    assert (first.is_superseded, second.is_superseded, other.is_superseded) == (True, False, False)
    everybody.left("a", first)  # which takes a moment
    third = Tunnel()
    assert not everybody.arrived("a", third)
    assert second.is_superseded


async def test_a_session_is_known_for_a_while() -> None:
    everybody = Clients()
    for wait, first in ((0.0, True), (KNOWN - 1, False), (KNOWN + 1, True)):
        await asyncio.sleep(wait)
        tunnel = Tunnel()
        assert everybody.arrived("a", tunnel) is first
        await asyncio.sleep(10 * KNOWN)  # however long the tunnel lasts
        everybody.left("a", tunnel)
    assert everybody.arrived("b", Tunnel())


async def test_a_client_without_a_session_id_is_nobody() -> None:
    everybody = Clients()
    first, second = Tunnel(), Tunnel()
    assert everybody.arrived("", first)
    assert everybody.arrived("", second)
    assert not first.is_superseded
    everybody.left("", first)


async def test_there_is_an_end_to_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_MOST", 3)
    everybody = Clients()
    for name in "abcde":
        tunnel = Tunnel()
        everybody.arrived(name, tunnel)
        everybody.left(name, tunnel)
    assert [everybody.arrived(name, Tunnel()) for name in "abcde"] == [True, True, False, False, False]
