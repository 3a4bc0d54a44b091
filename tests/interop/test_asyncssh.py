"""asyncssh, as client and as server of plain SSH: every algorithm, rekeying, half-close, refusals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncssh
import pytest
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs
from tests.interop.conversation import Conversation, listening
from tests.interop.forced import BASE, agreed, key_kind, lacking, matrix, recorded_choices
from tests.interop.ours import Server, entry_for, our_server, our_tunnel, stream_through

from headrace.client import tunnel as client_tunnel
from headrace.net.streams import ForwardRefused
from headrace.server import session as server_session
from headrace.ssh import numbers
from headrace.ssh.algorithms import Offer
from headrace.ssh.transport import TransportConfig
from headrace.testing.peers import host_key

# The warning is asyncssh's own affair: we do finite fields without the library.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields"),
    pytest.mark.both_loops,
]

SELDOM, OFTEN = 1 << 30, 200_000  # bytes between two key exchanges


def algorithms(offer: Offer) -> dict[str, object]:
    """Return an offer as asyncssh's options."""
    return {
        "kex_algs": list(offer.kex),
        "encryption_algs": list(offer.ciphers),
        "mac_algs": list(offer.macs),
        "compression_algs": None,
    }


@asynccontextmanager
async def connected(
    server: Server, offer: Offer = BASE, *, password: str = "", rekey_bytes: int = SELDOM
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Log in to our server, which must have the host key of its entry."""
    key = asyncssh.import_public_key(server.public_key)
    async with asyncssh.connect(
        "127.0.0.1",
        server.port,
        config=None,
        known_hosts=([key], [], []),
        server_host_key_algs=list(offer.host_keys),
        username=server.user,
        password=password or server.legacy_password,
        client_keys=None,
        agent_path=None,
        **algorithms(offer),
        rekey_bytes=rekey_bytes,
    ) as connection:
        yield connection


class Door(asyncssh.SSHServer):
    """Lets our client in, and forwards to any port but `closed`."""

    closed = 9

    def __init__(self) -> None:
        self.passwords: list[tuple[str, str]] = []

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.passwords.append((username, password))
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        if dest_port == self.closed:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "closed")
        return True


@asynccontextmanager
async def serving(offer: Offer = BASE, *, rekey_bytes: int = SELDOM) -> AsyncIterator[dict[str, object]]:
    """Run an asyncssh server; yields the entry for it."""
    key = host_key(key_kind(offer))
    pair = asyncssh.load_keypairs(asyncssh.import_private_key(key.to_pem()))[0]
    pair.host_key_algorithms = [name.encode() for name in offer.host_keys]
    async with asyncssh.listen(
        "127.0.0.1",
        0,
        config=None,
        server_factory=Door,
        server_host_keys=[pair],
        **algorithms(offer),
        rekey_bytes=rekey_bytes,
    ) as acceptor:
        yield entry_for(acceptor.get_port(), key.blob)


def test_it_has_every_algorithm_of_ours() -> None:
    names = [
        [name.decode() for name in names]
        for names in (get_kex_algs(), get_public_key_algs(), get_encryption_algs(), get_mac_algs())
    ]
    assert lacking(*names) == set()


# ---- as a client ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", matrix())
async def test_client_with_one_algorithm(offer: Offer, tmp_path: Path) -> None:
    conversation = Conversation()
    with recorded_choices() as choices:
        async with (
            our_server(tmp_path, key=key_kind(offer)) as server,
            listening(conversation) as port,
            connected(server, offer) as connection,
        ):
            await conversation.hold(*await connection.open_connection("127.0.0.1", port))
    assert choices == [agreed(offer)]


@pytest.mark.parametrize("side", ["client", "server"])
async def test_client_rekeying_in_the_middle(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation()
    if side == "server":
        monkeypatch.setattr(server_session, "TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN))
    with recorded_choices() as choices:
        async with (
            our_server(tmp_path) as server,
            listening(conversation) as port,
            connected(server, rekey_bytes=OFTEN if side == "client" else SELDOM) as connection,
        ):
            await conversation.hold(*await connection.open_connection("127.0.0.1", port))
    assert len(choices) >= 4


async def test_client_hears_why_a_forward_is_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    async with our_server(tmp_path) as server, connected(server) as connection:
        with pytest.raises(asyncssh.ChannelOpenError) as nobody:
            await connection.open_connection("127.0.0.1", unused_tcp_port)
        with pytest.raises(asyncssh.ChannelOpenError) as shell:
            await connection.create_process()
    assert nobody.value.code == numbers.CONNECT_FAILED
    assert shell.value.code == numbers.ADMINISTRATIVELY_PROHIBITED


async def test_client_on_a_server_for_the_public(tmp_path: Path) -> None:
    """No loopback destination, and no forward at all before the API handshake."""
    for setting in ("AllowBogons", "AllowForwardsBeforeHandshake"):
        async with (
            our_server(tmp_path / setting, overrides={setting: False}) as server,
            connected(server) as connection,
        ):
            with pytest.raises(asyncssh.ChannelOpenError) as refused:
                await connection.open_connection("127.0.0.1", server.port)
        assert refused.value.code == numbers.ADMINISTRATIVELY_PROHIBITED


async def test_client_with_the_wrong_password(tmp_path: Path) -> None:
    async with our_server(tmp_path) as server:
        with pytest.raises(asyncssh.PermissionDenied):
            async with connected(server, password="0" * 96):
                pass


# ---- as a server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", matrix())
async def test_server_with_one_algorithm(offer: Offer) -> None:
    conversation = Conversation()
    with recorded_choices() as choices:
        async with (
            serving(offer) as entry,
            listening(conversation) as port,
            our_tunnel(entry) as tunnel,
        ):
            await conversation.hold(*await stream_through(tunnel, "127.0.0.1", port))
    assert choices == [agreed(offer)]


@pytest.mark.parametrize("side", ["client", "server"])
async def test_server_rekeying_in_the_middle(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = Conversation()
    if side == "client":
        monkeypatch.setattr(client_tunnel, "TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN))
    with recorded_choices() as choices:
        async with (
            serving(rekey_bytes=OFTEN if side == "server" else SELDOM) as entry,
            listening(conversation) as port,
            our_tunnel(entry) as tunnel,
        ):
            await conversation.hold(*await stream_through(tunnel, "127.0.0.1", port))
    assert len(choices) >= 4


async def test_server_refusing_a_forward(unused_tcp_port: int) -> None:
    async with serving() as entry, our_tunnel(entry) as tunnel:
        with pytest.raises(ForwardRefused) as policy:
            await stream_through(tunnel, "127.0.0.1", Door.closed)
        with pytest.raises(ForwardRefused) as nobody:
            await stream_through(tunnel, "127.0.0.1", unused_tcp_port)
    assert policy.value.reason == numbers.ADMINISTRATIVELY_PROHIBITED
    assert nobody.value.reason == numbers.CONNECT_FAILED


async def test_many_forwards_at_once() -> None:
    conversation = Conversation(size=20_000)
    async with serving() as entry, listening(conversation) as port, our_tunnel(entry) as tunnel:

        async def one() -> None:
            await conversation.hold(*await stream_through(tunnel, "127.0.0.1", port))

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(one())
