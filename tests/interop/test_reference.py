"""The deployed programs, unmodified: ConsoleClient through our server, our client through psiphond.

    HEADRACE_CONSOLE_CLIENT       where the programs are; without them these tests are skipped
    HEADRACE_PSIPHOND
    HEADRACE_INTEROP_CONNECTIONS  fresh connections of each kind (default 3; 100 in the full run)

Each connection carries 5 MB down and 5 MB up, every byte compared, and 50 port forwards at once. Uploads are
acknowledged by length and hash, because the Go programs do not keep half-close. They draw their algorithms
at random for every connection, psiphond over plain SSH for every server: many connections are many draws.
"""

import asyncio
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.interop.forced import BASE, agreed, matrix, recorded_choices
from tests.interop.ours import CHANNEL_AND_SPONSOR, our_client, our_server
from tests.interop.programs import through_socks
from tests.interop.reference import console_client, psiphond

from headrace.client import api as client_api
from headrace.codec import packed_parameters
from headrace.codec.handshake_response import decode_handshake_response
from headrace.obfuscation.client import ClientObfuscator
from headrace.obfuscation.default_prefix import CLIENT_SPECS, DEFAULT_SPEC
from headrace.ssh.algorithms import ETM_MACS, Choice, Offer
from headrace.ssh.transport import TransportConfig
from headrace.testing.origin import Origin, payload
from headrace.transports import ossh

CONNECTIONS = int(os.environ.get("HEADRACE_INTEROP_CONNECTIONS", "3"))
BULK, FORWARDS, SMALL = 5_000_000, 50, 20_000
OFTEN = 1_000_000  # bytes between two key exchanges
HOMEPAGE = "http://127.0.0.1/home"

pytestmark = [
    pytest.mark.reference,
    pytest.mark.both_loops,
    pytest.mark.timeout(60 + 10 * CONNECTIONS),
]

UNKNOWN_SPEC = "unheard-of"
#: Tunnel protocol, and the spec that the client's prefix is made from.
WAYS = {
    "OSSH": ("OSSH", ""),
    "OSSH with a prefix": ("OSSH", DEFAULT_SPEC),
    "OSSH with a prefix the server does not know": ("OSSH", UNKNOWN_SPEC),
    "SSH": ("SSH", ""),
}


def prefix_settings(spec: str) -> dict[str, object]:
    """Return what makes a client of either kind send a prefix of this spec, always."""
    if not spec:
        return {}
    return {
        "OSSHPrefixSpecs": {**CLIENT_SPECS, UNKNOWN_SPEC: [["", "[A-Z]{30}"]]},
        "OSSHPrefixScopedSpecNames": {"": [spec]},
        "OSSHPrefixProbability": 1.0,
        "OSSHPrefixSplitMinDelayMilliseconds": 1,
        "OSSHPrefixSplitMaxDelayMilliseconds": 10,
    }


# ---- what goes through a tunnel ---------------------------------------------------------------------------


async def ask(socks_port: int, origin: Origin, request: str, body: bytes = b"") -> bytes:
    """Make one HTTP request through a port forward of its own; return the body of the answer."""
    reader, writer = await through_socks(socks_port, "127.0.0.1", origin.port)
    try:
        head = f"{request} HTTP/1.1\r\nHost: origin\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert answer.startswith("http/1.1 200"), answer
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        return await reader.readexactly(length)
    finally:
        writer.close()


async def use(socks_port: int, origin: Origin) -> None:
    """Load the tunnel behind a SOCKS proxy. Raises AssertionError if a byte is not what it should be."""
    async with asyncio.timeout(30):
        assert (
            hashlib.sha256(await ask(socks_port, origin, f"GET /bytes/{BULK}")).digest()
            == hashlib.sha256(payload(BULK)).digest()
        )
        summed = json.loads(await ask(socks_port, origin, "POST /sum", payload(BULK)))
        assert summed == {"length": BULK, "sha256": hashlib.sha256(payload(BULK)).hexdigest()}
        everybody = asyncio.Barrier(FORWARDS)

        async def small(number: int) -> None:
            body = payload(SMALL + number)
            reader, writer = await through_socks(socks_port, "127.0.0.1", origin.port)
            await everybody.wait()  # all of them are open now
            writer.write(f"GET /bytes/{len(body)} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(body)) == body
            writer.close()

        async with asyncio.TaskGroup() as group:
            for number in range(FORWARDS):
                group.create_task(small(number))


@dataclass
class Tally:
    """How many connections did what they should, what was wrong with the others, and what was agreed on."""

    way: str
    choices: list[Choice]
    good: int = 0
    problems: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    async def count(self, number: int, connection: Callable[[], Awaitable[None]]) -> None:
        """Make one connection; a problem is written down, and the next one may do better."""
        before = len(self.choices)
        try:
            await connection()
            self.good += 1
        except Exception as error:
            self.problems.append(f"connection {number}, {self.choices[before:]}: {error!r}")

    def check(self) -> None:
        """Fail if there was any problem at all."""
        seconds = time.monotonic() - self.begun
        print(f"{self.way}: {self.good} of {CONNECTIONS} in {seconds:.0f} s")
        for kind in ("kex", "host_key", "ciphers", "macs"):
            print(f"  {kind}:", dict(Counter(getattr(choice, kind) for choice in self.choices).most_common()))
        assert not self.problems, "\n".join(self.problems)
        assert self.good == CONNECTIONS


# ---- their client, our server -----------------------------------------------------------------------------


#: How requests go up, the first bytes that show it, and whether the handshake's answer comes back as CBOR.
ENCODINGS: list[tuple[dict[str, object], bytes, bool]] = [
    ({}, b"\x00\x01", False),
    ({"TargetAPIEncoding": "json"}, b'{"', False),
    ({"DisableTactics": False}, b"\x00\x01", True),
]


@pytest.mark.parametrize("way", WAYS)
async def test_their_client_through_our_server(
    way: str, tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol, spec = WAYS[way]
    handshakes: list[Mapping[str, object]] = []
    requests: list[bytes] = []

    def unpack(request: bytes) -> Mapping[str, object]:
        requests.append(request)
        parameters = packed_parameters.unpack(request)
        if "relay_protocol" in parameters:
            handshakes.append(parameters)
        return parameters

    monkeypatch.setattr("headrace.server.api.unpack", unpack)

    async def connection(number: int) -> None:
        encoding, first_bytes, cbor = ENCODINGS[number % len(ENCODINGS)]
        handshakes.clear()
        requests.clear()
        target = {"TargetServerEntry": server.encoded_entry}
        settings = {**target, **prefix_settings(spec), **encoding}
        directory = tmp_path / str(number)
        async with console_client(directory, protocol, settings) as (client, port):
            failed = [line for line in client.lines if "failed to connect to" in line]
            assert not failed, failed
            await client.says('"noticeType":"Homepage"')
            await use(port, origin)
        assert {request[:2] for request in requests} == {first_bytes}
        assert len(requests) >= 2  # the handshake and "connected"
        (parameters,) = handshakes
        assert parameters.get("ossh_prefix", "") == spec
        assert (parameters.get("psiphon_api_response_version") == "1") == cbor

    psinet = tmp_path / "psinet.json"
    pages = {"None": [{"url": HOMEPAGE}]}
    psinet.write_text(json.dumps({"sponsors": {CHANNEL_AND_SPONSOR["SponsorId"]: {"home_pages": pages}}}))
    # Over plain SSH a client leans on what its entry's key says about the server: a key per connection then.
    servers = CONNECTIONS if protocol == "SSH" else 1
    with recorded_choices() as choices:
        tally = Tally(f"ConsoleClient, {way}", choices)
        async with AsyncExitStack() as stack:
            for number in range(CONNECTIONS):
                if number < servers:
                    await stack.aclose()
                    ours = our_server(
                        tmp_path / f"server-{number}",
                        key="rsa",
                        overrides={
                            "AllowForwardsBeforeHandshake": False,
                            "PsinetDatabaseFilename": str(psinet),
                        },
                    )
                    server = await stack.enter_async_context(ours)
                await tally.count(number, partial(connection, number))
                assert not any(name.startswith("stranger.") for name in server.worker.counts)
    tally.check()
    assert len(choices) == CONNECTIONS  # no dial but the ones that came through


async def test_our_server_replacing_keys_in_the_middle(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "headrace.server.session.TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN)
    )
    with recorded_choices() as choices:
        async with (
            our_server(tmp_path / "server", key="rsa") as server,
            console_client(tmp_path / "client", "OSSH", {"TargetServerEntry": server.encoded_entry}) as (
                _,
                port,
            ),
        ):
            await use(port, origin)
    assert len(choices) > BULK // OFTEN


# ---- our client, their server -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_our_client_through_their_server(
    way: str, tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol, spec = WAYS[way]
    prefixes: list[str] = []

    def obfuscator(*arguments: Any, prefix: Any, **padding: Any) -> object:
        prefixes.append(prefix.name if prefix else "")
        return ClientObfuscator(*arguments, prefix=prefix, **padding)

    monkeypatch.setattr("headrace.transports.ossh.ClientObfuscator", obfuscator)

    async def connection(number: int) -> None:
        prefixes.clear()
        encoding = "json" if number % 2 else "cbor"
        settings = {**prefix_settings(spec), "TargetAPIEncoding": encoding}
        async with our_client(entry, protocol, **settings) as (client, said):
            assert said.getvalue().count('"ConnectingServer"') == 1, said.getvalue()
            await use(client.ports["Socks"], origin)
        assert prefixes == ([] if protocol == "SSH" else [spec])

    # Over plain SSH a server's algorithms are drawn once for all: a server per connection then.
    servers = CONNECTIONS if protocol == "SSH" else 1
    with recorded_choices() as choices:
        tally = Tally(f"psiphond, {way}", choices)
        async with AsyncExitStack() as stack:
            for number in range(CONNECTIONS):
                if number < servers:
                    await stack.aclose()
                    entry = await stack.enter_async_context(psiphond(tmp_path / str(number)))
                await tally.count(number, partial(connection, number))
    tally.check()


@pytest.mark.parametrize("offer", matrix(without={"ssh-ed25519", *ETM_MACS}))
async def test_our_client_with_one_algorithm(
    offer: Offer, tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    if offer.host_keys == BASE.host_keys:
        offer = replace(offer, host_keys=("rsa-sha2-256",))
    monkeypatch.setattr(ossh.PROTOCOL, "offer", offer)
    with recorded_choices() as choices:
        async with psiphond(tmp_path / "server") as entry, our_client(entry, "OSSH") as (client, _):
            await use(client.ports["Socks"], origin)
    assert choices == [agreed(offer)]


async def test_our_client_replacing_keys_in_the_middle(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.client.tunnel.TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN))
    with recorded_choices() as choices:
        async with psiphond(tmp_path / "server") as entry, our_client(entry, "OSSH") as (client, _):
            await use(client.ports["Socks"], origin)
    assert len(choices) > BULK // OFTEN


async def test_their_servers_cbor_handshake_reply(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[bytes] = []

    def parameters(*arguments: Any) -> dict[str, object]:
        return {**genuine_parameters(*arguments), "psiphon_api_response_version": "1"}

    def decode(reply: bytes) -> object:
        replies.append(reply)
        return decode_handshake_response(reply)

    genuine_parameters = client_api.handshake_parameters
    monkeypatch.setattr(client_api, "handshake_parameters", parameters)
    monkeypatch.setattr("headrace.client.tunnel.decode_handshake_response", decode)
    async with psiphond(tmp_path / "server") as entry:
        async with our_client(entry, "OSSH", EmitClientAddress=True) as (client, said):
            await use(client.ports["Socks"], origin)
    assert [reply[0] >> 5 for reply in replies] == [5]  # a CBOR map
    assert '"ClientAddress"' in said.getvalue() and '"ServerTimestamp"' in said.getvalue()
