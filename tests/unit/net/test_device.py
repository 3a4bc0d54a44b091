"""Sockets bound to a network interface; `lo` is one that every machine has."""

import asyncio
import errno
import socket
import sys
from typing import Any, cast

import pytest

from headrace.base.errors import ConnectRefused, NetworkError, OperatorError
from headrace.net.device import bind_to_device, connected_socket, insist_on_device
from headrace.net.dial import dial, listen
from headrace.net.http import direct
from headrace.net.routes import network_up, source_address

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds to network interfaces")

NOBODY = "nonesuch0"


def device_of(bound: Any) -> bytes:
    name: bytes = bound.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    return name.rstrip(b"\0")


class Keeper(asyncio.Protocol):
    """Keeps its transport."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.tcp = cast("asyncio.Transport", transport)  # uvloop's are none of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)


@pytest.mark.both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_connection_through_a_device(host: str) -> None:
    accepted: asyncio.Queue[Keeper] = asyncio.Queue()

    def accept() -> Keeper:
        accepted.put_nowait(keeper := Keeper())
        return keeper

    async with await listen(accept, "127.0.0.1", 0, what="a test") as server:
        port = server.sockets[0].getsockname()[1]
        near = await dial(host, port, Keeper, 5, "lo")
        tcp = near.tcp.get_extra_info("socket")
        assert device_of(tcp) == b"lo"
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        near.tcp.close()
        await (await accepted.get()).ended
        stream = await direct(host, port, 5, "lo")
        stream.close()
        await (await accepted.get()).ended


@pytest.mark.both_loops
async def test_what_goes_wrong_is_told_as_without() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectRefused):
        await dial("127.0.0.1", port, Keeper, 5, "lo")
    with pytest.raises(NetworkError, match="No such device"):
        await dial("127.0.0.1", port, Keeper, 5, NOBODY)


async def test_nothing_is_left_of_a_connection_that_is_given_up() -> None:
    made = []

    class Loop:
        async def getaddrinfo(self, *_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

        async def sock_connect(self, connecting: socket.socket, _: object) -> None:
            made.append(connecting)
            raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.get_running_loop", Loop)
        with pytest.raises(asyncio.CancelledError):
            await connected_socket("192.0.2.1", 80, "lo")
    assert made[0].fileno() == -1


def test_routes_through_a_device() -> None:
    assert source_address("127.0.0.1", "lo") == "127.0.0.1"
    assert network_up("127.0.0.1", "lo")
    assert not network_up("127.0.0.1", NOBODY)


def test_no_device_is_no_restriction() -> None:
    with socket.socket() as free:
        bind_to_device(free, "")
        assert device_of(free) == b""


def test_a_device_that_is_there() -> None:
    insist_on_device("lo")


def test_a_device_that_is_not() -> None:
    with pytest.raises(OperatorError, match=f"{NOBODY} cannot be used: this machine has no such"):
        insist_on_device(NOBODY)


def test_a_device_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("headrace.net.device.bind_to_device", refuse)
    with pytest.raises(OperatorError, match="only with the capability CAP_NET_RAW"):
        insist_on_device("lo")


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OperatorError, match="en0 cannot be used: only Linux can bind"):
        insist_on_device("en0")
