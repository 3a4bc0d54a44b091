"""Connections made and taken: what fails is told in the house's own errors, without an address."""

import asyncio
import errno
import os
import re
import socket
import struct
from pathlib import Path
from typing import cast

import pytest

from headrace.base.errors import ConnectTimeout, NetworkError, OperatorError
from headrace.net.dial import dial, dial_local, half_close, insist_on_free, listen, reset
from headrace.net.unix_socket import unix_socket

ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|::1")


class Keeper(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.tcp: asyncio.Transport | None = None
        self.received = b""
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.heard = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.tcp = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


@pytest.mark.both_loops
async def test_a_connection_without_delay() -> None:
    accepted: asyncio.Queue[Keeper] = asyncio.Queue()

    def accept() -> Keeper:
        accepted.put_nowait(keeper := Keeper())
        return keeper

    async with await listen(accept, "127.0.0.1", 0, what="a test") as server:
        near = await dial("127.0.0.1", port_of(server), Keeper, 5)
        assert near.tcp is not None
        near.tcp.write(b"hello")
        far = await accepted.get()
        await far.heard.wait()
        assert far.received == b"hello"
        for keeper in (near, far):
            assert keeper.tcp is not None
            connection = keeper.tcp.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        near.tcp.close()
        await near.ended
        await far.ended


@pytest.mark.both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_nobody_listens(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError) as failure:
        await dial(host, port, Keeper, 5)
    assert not isinstance(failure.value, ConnectTimeout)
    assert not ADDRESS.search(str(failure.value))
    assert str(port) not in str(failure.value)


@pytest.mark.virtual_time
async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*arguments: object, **settings: object) -> None:
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_connection", hang)
    with pytest.raises(ConnectTimeout, match=r"no connection within 7\.5 s"):
        await dial("192.0.2.1", 80, Keeper, 7.5)
    assert loop.time() == 7.5


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENETUNREACH, "Connect call failed ('192.0.2.1', 80)"), "Network is unreachable"),
        (OSError("Multiple exceptions: [Errno 111] ('192.0.2.1', 80)"), "the connection failed"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name cannot be resolved"),
    ],
)
async def test_reasons_without_addresses(monkeypatch: pytest.MonkeyPatch, error: OSError, text: str) -> None:
    async def fail(*arguments: object, **settings: object) -> None:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fail)
    with pytest.raises(NetworkError, match=f"^{text}$"):
        await dial("192.0.2.1", 80, Keeper, 5)


@pytest.mark.both_loops
@pytest.mark.parametrize("name", ["a..b", ".b", f"{64 * 'a'}.example", "\u2028"])
async def test_names_that_cannot_be_looked_up(name: str) -> None:
    with pytest.raises(NetworkError, match=r"^no host has such a name$"):
        await dial(name, 80, Keeper, 5)


@pytest.mark.both_loops
async def test_a_port_in_use_is_told_with_who_wanted_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError) as failure:
            await listen(Keeper, "127.0.0.1", port, what="the local SOCKS proxy")
    reason = os.strerror(errno.EADDRINUSE)
    assert str(failure.value).startswith(f"the local SOCKS proxy cannot listen on port {port}: {reason}. ")
    assert failure.value.exit_code == 2
    assert not ADDRESS.search(str(failure.value))


def test_a_shared_port_is_not_free() -> None:
    with socket.socket() as sharer:
        sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharer.bind(("127.0.0.1", 0))
        sharer.listen()
        port = sharer.getsockname()[1]
        with pytest.raises(OperatorError, match=f"OSSH cannot listen on port {port}"):
            insist_on_free(port, what="OSSH")
    insist_on_free(port, what="OSSH")


@pytest.mark.both_loops
async def test_a_reset_is_no_end() -> None:
    accepted: asyncio.Queue[Keeper] = asyncio.Queue()

    def accept() -> Keeper:
        accepted.put_nowait(keeper := Keeper())
        return keeper

    async with await listen(accept, "127.0.0.1", 0, what="a test") as server:
        near = await dial("127.0.0.1", port_of(server), Keeper, 5)
        far = await accepted.get()
        assert near.tcp is not None
        reset(near.tcp)
        assert isinstance(await far.ended, ConnectionResetError)
        await near.ended
        reset(near.tcp)  # once more is nothing


@pytest.mark.both_loops
async def test_nothing_is_said_to_a_peer_that_has_just_gone() -> None:
    accepted: asyncio.Queue[Keeper] = asyncio.Queue()

    def accept() -> Keeper:
        accepted.put_nowait(keeper := Keeper())
        return keeper

    async with await listen(accept, "127.0.0.1", 0, what="a test") as server:
        with socket.create_connection(("127.0.0.1", port_of(server))) as peer:
            peer.send(b"x")
            near = await accepted.get()
            await near.heard.wait()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert near.tcp is not None
        half_close(near.tcp)
        await near.ended
        half_close(near.tcp)  # once more is nothing


@pytest.mark.both_loops
async def test_a_program_on_this_machine_by_port_or_path(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(NetworkError, match="No such file or directory"):
        await dial_local(path, Keeper, 5)
    with unix_socket(path, what="a test") as listening:
        await dial_local(path, Keeper, 5)
        listening.accept()[0].close()
    async with await listen(Keeper, "127.0.0.1", 0, what="a test") as server:
        near = await dial_local(("127.0.0.1", port_of(server)), Keeper, 5)
        assert near.tcp is not None
        near.tcp.close()
