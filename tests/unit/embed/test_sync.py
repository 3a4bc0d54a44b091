"""A client for programs without a loop: sockets that are real, and a thread that ends."""

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

import headrace
from headrace.base.errors import NetworkError
from headrace.client.status import State
from headrace.embed import sync
from headrace.ssh.forwarding import Failure
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import Origin, payload


@pytest.fixture
async def server() -> AsyncIterator[LoopbackServer]:
    async with LoopbackServer() as made:
        yield made


def config(server: LoopbackServer) -> dict[str, object]:
    names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
    return {**names, "TargetServerEntry": server.entry.encode()}


async def blocking(server: LoopbackServer, use: Callable[[headrace.SyncTunnel], object]) -> None:
    """Do something that blocks, in a thread and with a client."""

    def run() -> None:
        with headrace.connect_sync(config(server), timeout=10) as tunnel:
            use(tunnel)

    await asyncio.to_thread(run)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("headrace")] == []


async def test_a_socket(server: LoopbackServer, origin: Origin) -> None:
    def use(tunnel: headrace.SyncTunnel) -> None:
        assert tunnel.status.state is State.CONNECTED
        with tunnel.create_connection((origin.host, origin.port), timeout=10) as connection:
            assert connection.gettimeout() == 10
            connection.sendall(b"GET /bytes/300000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)  # and still listen
            received = b""
            while piece := connection.recv(65536):
                received += piece
        assert received.endswith(payload(300_000))

    await blocking(server, use)


async def test_a_program_that_closes_its_socket_closes_the_connection(server: LoopbackServer) -> None:
    closed = threading.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"bye"
        writer.close()
        closed.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]

        def use(tunnel: headrace.SyncTunnel) -> None:
            with tunnel.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"bye")
            assert closed.wait(10)

        await blocking(server, use)


async def test_a_reader_learns_that_the_tunnel_was_lost(server: LoopbackServer, origin: Origin) -> None:
    loop = asyncio.get_running_loop()

    def lose() -> None:
        for session in list(server.worker.sessions):
            session.socket.abort()

    def use(tunnel: headrace.SyncTunnel) -> None:
        connection = tunnel.create_connection((origin.host, origin.port))
        loop.call_soon_threadsafe(lose)
        with pytest.raises(ConnectionResetError, match="the tunnel was lost"):
            connection.recv(1)
        connection.close()
        again = tunnel.create_connection((origin.host, origin.port))  # over the next tunnel
        lines = again.makefile("rb")
        loop.call_soon_threadsafe(lose)
        with pytest.raises(ConnectionResetError):
            lines.readline()
        lines.close()
        again.close()

    await blocking(server, use)


async def test_a_slow_reader_holds_the_sender_back(server: LoopbackServer, origin: Origin) -> None:
    size = 20_000_000

    def use(tunnel: headrace.SyncTunnel) -> None:
        with tunnel.create_connection((origin.host, origin.port)) as connection:
            connection.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size)
            first = connection.recv(1)
            assert tunnel.status.received < size  # it is not somewhere in between
            total = len(first)
            while piece := connection.recv(1 << 20):
                total += len(piece)
        assert total > size

    await blocking(server, use)


async def test_why_there_is_no_connection(server: LoopbackServer) -> None:
    def use(tunnel: headrace.SyncTunnel) -> None:
        with pytest.raises(headrace.ConnectionFailed) as raised:
            tunnel.create_connection(("127.0.0.1", 1))
        assert raised.value.why is Failure.REFUSED

    await blocking(server, use)


async def test_after_the_end(server: LoopbackServer, origin: Origin) -> None:
    kept: list[tuple[headrace.SyncTunnel, socket.socket]] = []

    def use(tunnel: headrace.SyncTunnel) -> None:
        kept.append((tunnel, tunnel.create_connection((origin.host, origin.port))))

    await blocking(server, use)
    ((tunnel, connection),) = kept
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    connection.close()
    with pytest.raises(headrace.ConnectionFailed, match="no tunnel"):
        tunnel.create_connection((origin.host, origin.port))
    with pytest.raises(headrace.ConnectionFailed):
        _ = tunnel.status


async def test_threads_that_wait_are_told_of_the_end(server: LoopbackServer) -> None:
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def use(tunnel: headrace.SyncTunnel) -> None:
        waiting = threading.Event()

        def wait() -> None:
            waiting.set()
            try:
                tunnel.create_connection(("192.0.2.200", 9), timeout=1000).close()
            except headrace.ConnectionFailed as error:
                errors.append(error)

        threads.append(threading.Thread(target=wait))
        threads[0].start()
        waiting.wait()

    await blocking(server, use)
    await asyncio.to_thread(threads[0].join)
    assert len(errors) == 1


async def test_no_tunnel_in_time(server: LoopbackServer) -> None:
    unreachable = {**config(server), "LimitTunnelProtocols": ["SSH"]}
    await server.worker.stop()

    def run() -> None:
        with headrace.connect_sync(unreachable, timeout=0.2):
            raise AssertionError("there is none")

    with pytest.raises(NetworkError, match=r"no tunnel within 0\.2 s"):
        await asyncio.to_thread(run)


async def test_an_error_in_the_block(server: LoopbackServer) -> None:
    def use(tunnel: headrace.SyncTunnel) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await blocking(server, use)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("headrace")] == []


def test_a_loop_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(life: Coroutine[object, object, None]) -> None:
        life.close()
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(sync, "run", run)
    with pytest.raises(OSError, match="too many open files"), headrace.connect_sync({}):
        pytest.fail("there is no client")
