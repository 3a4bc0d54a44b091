"""Our side of a meeting with another program: a server, a client's tunnel, or a whole client, on loopback."""

import asyncio
import base64
import io
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG
from headrace.client.api import Identity
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.net.relay import Relay
from headrace.net.streams import ForwardRefused
from headrace.obfuscation.seed_history import SeedMemory
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination
from headrace.ssh.host_keys import HostKey
from headrace.ssh.wire import Reader
from headrace.testing.peers import host_key

__all__ = [
    "CHANNEL_AND_SPONSOR",
    "PATIENCE",
    "Server",
    "entry_for",
    "openssh_private_key",
    "our_client",
    "our_server",
    "our_tunnel",
    "public_key_line",
    "stream_through",
]

CHANNEL_AND_SPONSOR = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
#: What peers that have other things to do than answer must do within, in seconds.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server of ours."""

    worker: Worker
    entry: Mapping[str, object]  #: fields of its server entry, with the ports it really listens on

    @property
    def port(self) -> int:
        """The plain SSH port."""
        return self.worker.ports["SSH"]

    @property
    def user(self) -> str:
        return self.worker.shared.user

    @property
    def legacy_password(self) -> str:
        """The password in the form that needs no JSON: a session ID in front."""
        return "0123456789abcdef" * 2 + self.worker.shared.password

    @property
    def public_key(self) -> str:
        """The host key as one line of text, as OpenSSH writes it."""
        return public_key_line(self.worker.shared.host_key.blob)

    @property
    def encoded_entry(self) -> str:
        return encode_fields(dict(self.entry))


@asynccontextmanager
async def our_server(
    directory: Path,
    *,
    key: str = "ed25519",
    overrides: Mapping[str, object] | None = None,
    adapt: Callable[[Shared], Shared] = lambda shared: shared,
) -> AsyncIterator[Server]:
    """Run a server with fresh secrets that forwards to loopback for plain SSH clients too."""
    generated = generate_server(ip="127.0.0.1", protocols={"SSH": 1, "OSSH": 2}, host_key=host_key(key))
    generated.write(directory)
    settings = {
        "TunnelProtocolPorts": {"SSH": 0, "OSSH": 0},
        "AllowBogons": True,
        "AllowForwardsBeforeHandshake": True,
        "DNSResolverIPAddress": "127.0.0.1",
        **(overrides or {}),
    }
    config = read_server_config(generated.files[CONFIG_FILE], overrides=settings)
    seeds = SeedMemory()
    worker = Worker(adapt(Shared.load(config, directory, lambda seed: seeds.seen(seed, SYSTEM_CLOCK.time()))))
    await worker.start("127.0.0.1")
    ports = {"sshPort": worker.ports["SSH"], "sshObfuscatedPort": worker.ports["OSSH"]}
    try:
        yield Server(worker, {**decode_fields(generated.entry), **ports})
    finally:
        await worker.stop()


def public_key_line(blob: bytes) -> str:
    """Return key type and base64 of a public key blob."""
    return f"{bytes(Reader(blob).string()).decode()} {base64.b64encode(blob).decode()}"


def openssh_private_key(key: HostKey) -> str:
    """Return a private key in the only form that every SSH program reads."""
    private = load_pem_private_key(key.to_pem().encode(), None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def entry_for(port: int, blob: bytes, *, user: str = "user", password: str = "word") -> dict[str, object]:
    """Return the entry of a plain SSH server that is not ours."""
    return {
        "ipAddress": "127.0.0.1",
        "sshPort": port,
        "sshUsername": user,
        "sshPassword": password,
        "sshHostKey": base64.b64encode(blob).decode(),
        "capabilities": ["SSH", "ssh-api-requests"],
    }


@asynccontextmanager
async def our_tunnel(entry: Mapping[str, object]) -> AsyncIterator[Tunnel]:
    """Dial a plain SSH server and log in; no API request is made."""
    dial = choose(ServerEntry.from_fields(dict(entry)), "SSH", SYSTEM_RNG)
    identity = Identity.from_config(read_client_config(json.dumps(CHANNEL_AND_SPONSOR).encode()))
    tunnel = Tunnel(dial, identity, SYSTEM_RNG, lambda name, payload: None)
    await tunnel.connect()
    try:
        yield tunnel
    finally:
        tunnel.close()
        await tunnel.ended


@asynccontextmanager
async def our_client(
    entry: Mapping[str, object], protocol: str, **settings: object
) -> AsyncIterator[tuple[Controller, io.StringIO]]:
    """Run a whole client until it is connected; yields it with its notices so far."""
    fields = {
        **CHANNEL_AND_SPONSOR,
        "LimitTunnelProtocols": [protocol],
        "EmitDiagnosticNotices": True,
        "EstablishTunnelTimeoutSeconds": int(PATIENCE),
        **settings,
    }
    config = read_client_config(json.dumps(fields).encode())
    said = io.StringIO()
    notices = Notices(said, SYSTEM_CLOCK, NoticeOptions.from_config(config))
    controller = Controller(config, FixedServers([ServerEntry.from_fields(dict(entry))]), notices)
    run = asyncio.create_task(controller.run())
    connected = asyncio.create_task(controller.connected.wait())
    try:
        await asyncio.wait((run, connected), return_when=asyncio.FIRST_COMPLETED)
        assert connected.done(), f"the client gave up:\n{said.getvalue()}"
        yield controller, said
    finally:
        connected.cancel()
        controller.stop()
        await run


async def stream_through(
    tunnel: Tunnel, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a port forward the way the local proxies do, and return the application's end of it.

    Raises ForwardRefused.
    """
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    relay = Relay()
    await loop.create_connection(lambda: relay, sock=far)
    reader, writer = await asyncio.open_connection(sock=near)
    opening = _Opening(relay, loop.create_future())
    tunnel.open(Destination(host, port), opening)
    try:
        async with asyncio.timeout(PATIENCE):
            await opening.outcome
    except BaseException:
        relay.close()
        writer.close()
        raise
    return reader, writer


class _Opening:
    """Waits for the server's answer; then the relay takes the channel over."""

    def __init__(self, relay: Relay, outcome: asyncio.Future[None]) -> None:
        self.outcome = outcome
        self._relay = relay

    def opened(self, channel: Channel) -> None:
        channel.endpoint = self._relay
        self._relay.attach(channel)
        self.outcome.set_result(None)

    def refused(self, reason: int, text: str) -> None:
        self.outcome.set_exception(ForwardRefused(reason))

    def closed(self, error: Exception | None) -> None:
        self.outcome.set_exception(error or ConnectionError("closed before it was open"))

    def data(self, view: memoryview) -> None:
        """Never called before the channel is open; nor are the following."""

    pause = writable = eof = lambda self: None
