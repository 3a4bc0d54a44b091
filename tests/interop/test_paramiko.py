"""paramiko, as client and as server of plain SSH: what it has of our algorithms, rekeying, refusals.

paramiko is written with threads: its blocking calls run in the loop's executor.
"""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
import pytest
from tests.interop.conversation import Conversation, listening
from tests.interop.forced import BASE, agreed, key_kind, lacking, matrix, recorded_choices
from tests.interop.ours import (
    PATIENCE,
    Server,
    entry_for,
    openssh_private_key,
    our_server,
    our_tunnel,
    stream_through,
)

from headrace.client import tunnel as client_tunnel
from headrace.net.streams import ForwardRefused
from headrace.server import session as server_session
from headrace.ssh import numbers
from headrace.ssh.algorithms import Offer
from headrace.ssh.transport import TransportConfig
from headrace.testing.peers import host_key

LACKS = {"curve25519-sha256", "chacha20-poly1305@openssh.com"}
REKEY_BYTES = 200_000
NOWHERE = ("127.0.0.1", 0)


class ChannelStream:
    """A channel of paramiko's as a reader and a writer to await.

    `rekey_after` bytes sent, and again and again, it replaces the keys. paramiko could count bytes by itself,
    but hangs for ever if the channel is closed by the peer while it waits for the peer's KEXINIT.
    """

    def __init__(self, channel: paramiko.Channel, rekey_after: int | None = None) -> None:
        self._channel = channel
        self._rekey_after = rekey_after
        self._since_rekey = 0
        self._unsent = b""
        self._eof = False
        self._closing: asyncio.Future[None] | None = None
        channel.settimeout(PATIENCE)

    async def read(self, n: int = -1, /) -> bytes:
        return await asyncio.to_thread(self._channel.recv, n)

    def write(self, data: bytes, /) -> None:
        self._unsent += data

    def write_eof(self) -> None:
        self._eof = True

    async def drain(self) -> None:
        unsent, self._unsent = self._unsent, b""
        await asyncio.to_thread(self._channel.sendall, unsent)
        self._since_rekey += len(unsent)
        if self._eof:
            await asyncio.to_thread(self._channel.shutdown_write)
        elif self._rekey_after and self._since_rekey > self._rekey_after:
            self._since_rekey = 0
            await asyncio.to_thread(self._channel.get_transport().renegotiate_keys)

    def close(self) -> None:
        self._closing = asyncio.get_running_loop().run_in_executor(None, self._channel.close)

    async def wait_closed(self) -> None:
        if self._closing is not None:
            await self._closing


def force(transport: paramiko.Transport, offer: Offer) -> None:
    """Cut a transport down to an offer."""
    options = transport.get_security_options()
    options.kex, options.ciphers, options.digests = offer.kex, offer.ciphers, offer.macs
    options.key_types = offer.host_keys


async def dial(port: int, offer: Offer = BASE) -> paramiko.Transport:
    """Connect to our server and exchange keys."""
    transport = await asyncio.to_thread(paramiko.Transport, ("127.0.0.1", port))
    force(transport, offer)
    await asyncio.to_thread(transport.start_client, timeout=PATIENCE)
    return transport


@asynccontextmanager
async def connected(server: Server, offer: Offer = BASE) -> AsyncIterator[paramiko.Transport]:
    """Log in to our server, which must have the host key of its entry."""
    transport = await dial(server.port, offer)
    try:
        assert transport.get_remote_server_key().asbytes() == server.worker.shared.host_key.blob
        await asyncio.to_thread(transport.auth_password, server.user, server.legacy_password)
        yield transport
    finally:
        await asyncio.to_thread(transport.close)


async def open_forward(
    transport: paramiko.Transport, port: int, rekey_after: int | None = None
) -> ChannelStream:
    """Open a port forward; raises paramiko.ChannelException with the refusal's code."""
    channel = await asyncio.to_thread(
        transport.open_channel, "direct-tcpip", ("127.0.0.1", port), NOWHERE, timeout=PATIENCE
    )
    return ChannelStream(channel, rekey_after)


class Door(paramiko.ServerInterface):  # type: ignore[misc]
    """Lets our client in, and forwards to any port but two."""

    closed, nobody = 9, 10

    def check_auth_password(self, username: str, password: str) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        answers = {
            self.closed: paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
            self.nobody: paramiko.OPEN_FAILED_CONNECT_FAILED,
        }
        return int(answers.get(destination[1], paramiko.OPEN_SUCCEEDED))


@asynccontextmanager
async def serving(
    conversation: Conversation | None, offer: Offer = BASE, rekey_after: int | None = None
) -> AsyncIterator[dict[str, object]]:
    """Run a paramiko server for one connection, and be the origin behind its first port forward."""
    key = host_key(key_kind(offer))
    kind = paramiko.Ed25519Key if key_kind(offer) == "ed25519" else paramiko.RSAKey

    async def serve(listener: socket.socket) -> None:
        transport = paramiko.Transport((await asyncio.to_thread(listener.accept))[0])
        transport.add_server_key(kind.from_private_key(io.StringIO(openssh_private_key(key))))
        force(transport, offer)
        try:
            await asyncio.to_thread(transport.start_server, server=Door())
            if conversation is not None:
                stream = ChannelStream(await asyncio.to_thread(transport.accept, PATIENCE), rekey_after)
                await conversation.answer(stream, stream)
            await asyncio.to_thread(transport.join, PATIENCE)
            assert not transport.is_alive()
        finally:
            await asyncio.to_thread(transport.close)

    with socket.create_server(NOWHERE) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(listener))
            yield entry_for(listener.getsockname()[1], key.blob)


def test_it_lacks_what_we_think_it_lacks() -> None:
    left, right = socket.socketpair()
    with left, right:
        transport = paramiko.Transport(left)
        theirs = transport._kex_info, transport._key_info, transport._cipher_info, transport._mac_info
        transport.close()
    assert lacking(*theirs) == LACKS


# ---- as a client ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", matrix(without=LACKS))
async def test_client_with_one_algorithm(offer: Offer, tmp_path: Path) -> None:
    conversation = Conversation()
    with recorded_choices() as choices:
        async with (
            our_server(tmp_path, key=key_kind(offer)) as server,
            listening(conversation) as port,
            connected(server, offer) as transport,
        ):
            stream = await open_forward(transport, port)
            await conversation.hold(stream, stream)
    assert choices == [agreed(offer)]


@pytest.mark.parametrize("side", ["client", "server"])
async def test_client_rekeying_in_the_middle(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation()
    if side == "server":
        monkeypatch.setattr(
            server_session, "TransportConfig", partial(TransportConfig, rekey_bytes=REKEY_BYTES)
        )
    with recorded_choices() as choices:
        async with (
            our_server(tmp_path) as server,
            listening(conversation) as port,
            connected(server) as transport,
        ):
            stream = await open_forward(transport, port, REKEY_BYTES if side == "client" else None)
            await conversation.hold(stream, stream)
    assert len(choices) >= 4


async def test_client_hears_why_a_forward_is_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    async with our_server(tmp_path) as server, connected(server) as transport:
        with pytest.raises(paramiko.ChannelException) as nobody:
            await open_forward(transport, unused_tcp_port)
        with pytest.raises(paramiko.ChannelException) as shell:
            await asyncio.to_thread(transport.open_session, timeout=PATIENCE)
    assert nobody.value.code == numbers.CONNECT_FAILED
    assert shell.value.code == numbers.ADMINISTRATIVELY_PROHIBITED


async def test_client_with_the_wrong_password(tmp_path: Path) -> None:
    async with our_server(tmp_path) as server:
        transport = await dial(server.port)
        with pytest.raises(paramiko.AuthenticationException):
            await asyncio.to_thread(transport.auth_password, server.user, "0" * 96)
        await asyncio.to_thread(transport.close)


# ---- as a server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", matrix(without=LACKS))
async def test_server_with_one_algorithm(offer: Offer) -> None:
    conversation = Conversation()
    with recorded_choices() as choices:
        async with serving(conversation, offer) as entry, our_tunnel(entry) as tunnel:
            await conversation.hold(*await stream_through(tunnel, "127.0.0.1", 80))
    assert choices == [agreed(offer)]


@pytest.mark.parametrize("side", ["client", "server"])
async def test_server_rekeying_in_the_middle(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = Conversation()
    if side == "client":
        monkeypatch.setattr(
            client_tunnel, "TransportConfig", partial(TransportConfig, rekey_bytes=REKEY_BYTES)
        )
    with recorded_choices() as choices:
        async with (
            serving(conversation, rekey_after=REKEY_BYTES if side == "server" else None) as entry,
            our_tunnel(entry) as tunnel,
        ):
            await conversation.hold(*await stream_through(tunnel, "127.0.0.1", 80))
    assert len(choices) >= 4


async def test_server_refusing_a_forward() -> None:
    async with serving(None) as entry, our_tunnel(entry) as tunnel:
        with pytest.raises(ForwardRefused) as policy:
            await stream_through(tunnel, "127.0.0.1", Door.closed)
        with pytest.raises(ForwardRefused) as nobody:
            await stream_through(tunnel, "127.0.0.1", Door.nobody)
    assert policy.value.reason == numbers.ADMINISTRATIVELY_PROHIBITED
    assert nobody.value.reason == numbers.CONNECT_FAILED
