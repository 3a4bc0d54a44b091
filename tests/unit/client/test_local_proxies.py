"""The listeners of a run, on real sockets: where they are, and that nothing is left of them."""

import asyncio
import errno
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.memory_network import client_config

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.client.local_proxies import LocalProxies
from headrace.client.notices import NoticeOptions, Notices
from headrace.testing.memory_tunnel import MemoryTunnel

REQUESTS = {
    "Socks": (b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x08\x08\x00\x50", b"\x05\x00\x05\x01"),
    "Http": (b"CONNECT 8.8.8.8:80 HTTP/1.1\r\nHost: 8.8.8.8:80\r\n\r\n", b"HTTP/1.1 50"),
}


class Opened(LocalProxies):
    """Proxies, and what they told."""

    def __init__(self, **fields: object) -> None:
        self._stream = io.StringIO()
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        nowhere = MemoryTunnel()
        nowhere.lose()
        super().__init__(client_config(**fields), nowhere, notices)

    @property
    def told(self) -> list[tuple[str, dict[str, object]]]:
        lines = map(json.loads, self._stream.getvalue().splitlines())
        return [(line["noticeType"], line["data"]) for line in lines]


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    request, answer = REQUESTS[name]
    writer.write(request)
    assert (await reader.readexactly(len(answer))) == answer
    writer.close()
    await writer.wait_closed()


async def test_each_speaks_its_own_protocol_and_neither_is_there_afterwards() -> None:
    proxies = Opened()
    await proxies.open()
    assert proxies.told == [
        ("ListeningSocksProxyPort", {"port": proxies.ports["Socks"]}),
        ("ListeningHttpProxyPort", {"port": proxies.ports["Http"]}),
    ]
    for name, port in proxies.ports.items():
        await ask(*await asyncio.open_connection("127.0.0.1", port), name)
    proxies.close()
    for port in proxies.ports.values():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def ends(reader: asyncio.StreamReader) -> bool:
    """Wait for the end; what was not read makes it a reset."""
    try:
        return not await reader.read()
    except ConnectionResetError:
        return True


async def test_closing_ends_every_connection() -> None:
    proxies = Opened()
    await proxies.open()
    connections = []
    for name, beginnings in {"Socks": (b"", b"\x05"), "Http": (b"", b"CONNECT a:1 HTTP")}.items():
        for said in beginnings:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxies.ports[name])
            writer.write(said)
            connections.append((reader, writer))
        await ask(*await asyncio.open_connection("127.0.0.1", proxies.ports[name]), name)  # all are accepted
    proxies.close()
    for reader, writer in connections:
        assert await ends(reader)
        writer.close()


async def test_an_interface_that_is_not_there() -> None:
    proxies = Opened(ListenInterface="nonesuch0")
    with pytest.raises(OperatorError, match="nonesuch0"):
        await proxies.open()
    assert proxies.ports == {}
    proxies.close()


USER = {"LocalProxyUsername": "anna", "LocalProxyPassword": "hunter2"}


@pytest.mark.parametrize("credentials", [{}, USER])
async def test_that_everybody_may_use_them_is_warned_of(credentials: dict[str, object]) -> None:
    proxies = Opened(ListenInterface="any", **credentials)
    await proxies.open()
    warnings = [str(data["message"]) for notice_type, data in proxies.told if notice_type == "Warning"]
    proxies.close()
    assert len(warnings) == (not credentials)
    assert all("LocalProxyPassword" in warning for warning in warnings)


# ---- ports that are taken


@contextmanager
def taken(count: int) -> Iterator[int]:
    """Take so many ports in a row, with two free ones behind them; give the first."""
    for first in range(20000, 30000, 10):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count + 2):
                    held = stack.enter_context(socket.create_server(("127.0.0.1", port)))
                    if port >= first + count:
                        held.close()
            except OSError:
                continue
            yield first
            return
    pytest.fail("all ports are taken")


async def test_a_port_that_is_taken_ends_it() -> None:
    with taken(1) as port:
        proxies = Opened(LocalSocksProxyPort=port)
        with pytest.raises(OperatorError, match=f"SOCKS proxy .*cannot listen on port {port}"):
            await proxies.open()
        proxies.close()
    assert proxies.told == [("SocksProxyPortInUse", {"port": port})]
    assert proxies.ports == {}


async def test_or_the_next_one_is_used() -> None:
    with taken(2) as port:
        proxies = Opened(LocalSocksProxyPort=port, LocalProxyPortAttempts=3, DisableLocalHTTPProxy=True)
        await proxies.open()
        proxies.close()
    assert proxies.told == [
        (
            "Warning",
            {"message": f"port {port} is taken: the local SOCKS proxy listens on port {port + 2} instead"},
        ),
        ("ListeningSocksProxyPort", {"port": port + 2}),
    ]


async def test_but_not_the_one_that_the_other_proxy_is_to_have() -> None:
    with taken(1) as port:
        proxies = Opened(LocalSocksProxyPort=port, LocalHttpProxyPort=port + 1, LocalProxyPortAttempts=3)
        await proxies.open()
        proxies.close()
    assert proxies.ports == {"Socks": port + 2, "Http": port + 1}


async def test_when_all_attempts_are_in_vain_the_first_is_named() -> None:
    with taken(3) as port:
        proxies = Opened(LocalHttpProxyPort=port, LocalProxyPortAttempts=3, DisableLocalSocksProxy=True)
        with pytest.raises(OperatorError, match=f"HTTP proxy .*cannot listen on port {port}"):
            await proxies.open()
        proxies.close()
    assert proxies.told == [("HttpProxyPortInUse", {"port": port})]


async def test_what_no_other_port_would_mend_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def listen(make: Callable[[], object], host: str, port: int, *, what: str) -> asyncio.Server:
        tried.append(port)
        raise OperatorError("not allowed") from OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("headrace.client.local_proxies.listen", listen)
    proxies = Opened(LocalSocksProxyPort=65534, LocalProxyPortAttempts=9)
    with pytest.raises(OperatorError, match="not allowed"):
        await proxies.open()
    assert tried == [65534]


async def test_there_is_no_port_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def listen(make: Callable[[], object], host: str, port: int, *, what: str) -> asyncio.Server:
        tried.append(port)
        raise OperatorError("taken") from OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr("headrace.client.local_proxies.listen", listen)
    with pytest.raises(OperatorError, match="taken"):
        await Opened(LocalSocksProxyPort=65534, LocalProxyPortAttempts=9).open()
    assert tried == [65534, 65535]


# ---- Unix sockets


async def test_unix_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    directory = Path(f"/tmp/headrace-{os.getpid()}-{id(tmp_path)}")  # pytest's own is too long for a socket
    directory.mkdir(mode=0o700)
    try:
        paths = {"Socks": str(directory / "socks"), "Http": f"@headrace-{os.getpid()}"}
        proxies = Opened(
            UseUnixDomainSockets=True,
            LocalSocksProxyUnixPath=paths["Socks"],
            LocalHttpProxyUnixPath=paths["Http"],
        )
        await proxies.open()
        assert proxies.told == [
            ("ListeningSocksProxyUnixPath", {"path": paths["Socks"]}),
            ("ListeningHttpProxyUnixPath", {"path": paths["Http"]}),
        ]
        assert proxies.ports == {}
        for name, path in paths.items():
            await ask(*await asyncio.open_unix_connection(path.replace("@", "\0")), name)
        proxies.check()
        proxies.close()
        assert list(directory.iterdir()) == []
    finally:
        directory.rmdir()


async def test_a_path_that_cannot_be_had() -> None:
    proxies = Opened(
        UseUnixDomainSockets=True, LocalSocksProxyUnixPath="/nonesuch/s", LocalHttpProxyUnixPath="/nonesuch/h"
    )
    with pytest.raises(OperatorError, match=r"SOCKS proxy \(LocalSocksProxyUnixPath\) .*no such directory"):
        await proxies.open()
    proxies.close()


# ---- listeners that are no more


async def test_a_listener_that_the_system_has_closed_is_noticed() -> None:
    proxies = Opened(DisableLocalHTTPProxy=True)
    await proxies.open()
    proxies.check()
    (server,) = proxies._servers.values()
    with socket.socket(fileno=os.dup(server.sockets[0].fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OperatorError, match="the local SOCKS proxy can accept no more connections"):
        proxies.check()
    proxies.close()
    proxies.check()
