"""OpenSSH: its client against our server, and our whole client against its server."""

import asyncio
import hashlib
import json
import os
import secrets
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path

import pytest
from tests.interop.conversation import MEGABYTE, Conversation, listening
from tests.interop.forced import BASE, agreed, key_kind, lacking, matrix, recorded_choices
from tests.interop.ours import (
    Server,
    entry_for,
    openssh_private_key,
    our_client,
    our_server,
)
from tests.interop.programs import (
    Program,
    complete,
    curl,
    missing,
    program,
    running,
    through_socks,
    unused_port,
)

from headrace.client import tunnel as client_tunnel
from headrace.server import session as server_session
from headrace.ssh.algorithms import Offer
from headrace.ssh.transport import TransportConfig
from headrace.testing.origin import Origin, payload
from headrace.testing.peers import host_key

pytestmark = pytest.mark.both_loops

OFTEN = 200_000  # bytes between two key exchanges
#: Only OpenSSH 9.9 and newer have this one.
MAY_LACK = {"mlkem768x25519-sha256"}
SESSION_ID, SPONSOR = "0123456789abcdef" * 2, "F" * 16


@cache
def lacked() -> set[str]:
    """Return which of our algorithms OpenSSH does not have."""
    kinds = ("kex", "HostKeyAlgorithms", "cipher", "mac")
    answers = [
        subprocess.run([program("ssh"), "-Q", kind], capture_output=True, text=True, check=True)
        for kind in kinds
    ]
    return lacking(*[answer.stdout.split() for answer in answers])


@asynccontextmanager
async def ssh(
    server: Server, directory: Path, *options: str, offer: Offer = BASE, rekey_limit: str = "default"
) -> AsyncIterator[Program]:
    """Run the client without a command, logged in and ready to forward."""
    askpass = directory / "askpass"
    askpass.write_text(f"#!/bin/sh\necho {server.legacy_password}\n")
    askpass.chmod(stat.S_IRWXU)
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.public_key}\n")
    settings = {
        "Ciphers": offer.ciphers[0],
        "ExitOnForwardFailure": "yes",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlgorithms": offer.host_keys[0],
        "KexAlgorithms": offer.kex[0],
        "MACs": offer.macs[0],
        "NumberOfPasswordPrompts": "1",
        "PreferredAuthentications": "password",
        "PubkeyAuthentication": "no",
        "RekeyLimit": rekey_limit,
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
    }
    arguments = [argument for name, value in settings.items() for argument in ("-o", f"{name}={value}")]
    async with running(
        program("ssh"),
        *("-v", "-N", "-F", "none", *arguments, *options),
        *("-p", str(server.port), "-l", server.user, "127.0.0.1"),
        directory=directory,
        environment={"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"},
    ) as client:
        await client.says("Entering interactive session")
        yield client


def local_forward(directory: Path, port: int) -> tuple[Path, str]:
    """Return a Unix socket, which no other program can be sitting on, and the value of -L for it."""
    path = directory / "forward"
    return path, f"{path}:127.0.0.1:{port}"


async def test_client_lacks_nothing_that_we_test_with() -> None:
    assert lacked() <= MAY_LACK


@pytest.mark.parametrize("offer", matrix())
async def test_client_with_one_algorithm(offer: Offer, tmp_path: Path) -> None:
    if set(offer.kex) & lacked() & MAY_LACK:
        pytest.skip(f"this OpenSSH has no {offer.kex[0]}")
    conversation = Conversation()
    with recorded_choices() as choices:
        async with our_server(tmp_path, key=key_kind(offer)) as server, listening(conversation) as port:
            path, forward = local_forward(tmp_path, port)
            async with ssh(server, tmp_path, "-L", forward, offer=offer):
                await conversation.hold(*await asyncio.open_unix_connection(path))
    assert choices == [agreed(offer)]


@pytest.mark.parametrize("side", ["client", "server"])
async def test_client_rekeying_in_the_middle(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation()
    if side == "server":
        monkeypatch.setattr(server_session, "TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN))
    with recorded_choices() as choices:
        async with our_server(tmp_path) as server, listening(conversation) as port:
            path, forward = local_forward(tmp_path, port)
            limit = str(OFTEN) if side == "client" else "default"
            async with ssh(server, tmp_path, "-L", forward, rekey_limit=limit):
                await conversation.hold(*await asyncio.open_unix_connection(path))
    assert len(choices) >= 4


async def test_curl_through_its_forwards(tmp_path: Path, origin: Origin) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(payload(MEGABYTE))
    async with our_server(tmp_path / "server") as server:
        path, forward = local_forward(tmp_path, origin.port)
        socks = unused_port()
        async with ssh(server, tmp_path, "-L", forward, "-D", f"127.0.0.1:{socks}"):
            ways = (("--unix-socket", str(path)), ("--proxy", f"socks5h://127.0.0.1:{socks}"))
            for way in ways:
                fetched = await curl(*way, origin.url(f"/bytes/{MEGABYTE}"), directory=tmp_path)
                assert fetched == payload(MEGABYTE)
                counted = await curl(
                    *way, "--data-binary", f"@{upload}", origin.url("/sum"), directory=tmp_path
                )
                digest = hashlib.sha256(payload(MEGABYTE)).hexdigest()
                assert json.loads(counted) == {"length": MEGABYTE, "sha256": digest}


async def test_client_hears_why_a_forward_is_refused(tmp_path: Path) -> None:
    async with our_server(tmp_path) as server:
        path, forward = local_forward(tmp_path, unused_port())
        async with ssh(server, tmp_path, "-L", forward) as client:
            reader, writer = await asyncio.open_unix_connection(path)
            assert await reader.read() == b""
            writer.close()
            await client.says("open failed: connect failed")


# ---- its server -----------------------------------------------------------------------------------------


@asynccontextmanager
async def user(password: str, directory: Path) -> AsyncIterator[str]:
    """Add a user who can do nothing but log in with this password."""
    name = f"hr{secrets.token_hex(4)}"
    useradd, chpasswd, userdel = program("useradd"), program("chpasswd"), program("userdel")
    await complete(useradd, "--no-create-home", "--shell", "/usr/sbin/nologin", name, directory=directory)
    try:
        await complete(chpasswd, directory=directory, text=f"{name}:{password}\n".encode())
        yield name
    finally:
        await complete(userdel, name, directory=directory)


@asynccontextmanager
async def sshd(
    key: str, directory: Path, *, rekey_limit: str = "default"
) -> AsyncIterator[dict[str, object]]:
    """Run a real sshd with a user of its own; yields the entry with which our client can log in."""
    if os.geteuid():
        missing("root, which sshd needs to check passwords,")
    sshd = program("sshd")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists on this place for its unprivileged part
    key_file = directory / "host_key"
    key_file.touch(mode=0o600)
    key_file.write_text(openssh_private_key(host_key(key)))
    secret = secrets.token_hex(32)
    # What our client sends, with the session ID and sponsor of the test.
    password = json.dumps(
        {
            "SessionId": SESSION_ID,
            "SshPassword": secret,
            "ClientCapabilities": ["server-requests", "shaping-1"],
            "SponsorId": SPONSOR,
        },
        separators=(",", ":"),
    )
    port = unused_port()
    async with user(password, directory) as name:
        config = directory / "sshd_config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key_file}\nPidFile none\nLogLevel VERBOSE\n"
            f"UsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nAllowUsers {name}\n"
            f"StrictModes no\nAllowTcpForwarding yes\nRekeyLimit {rekey_limit}\n"
        )
        async with running(sshd, "-D", "-e", "-f", config, directory=directory) as server:
            await server.says(f"listening on 127.0.0.1 port {port}")
            yield entry_for(port, host_key(key).blob, user=name, password=secret)


@pytest.mark.root
@pytest.mark.parametrize("key", ["rsa", "ed25519"])
async def test_our_client_through_a_real_server(key: str, tmp_path: Path, origin: Origin) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(payload(MEGABYTE))
    conversation = Conversation()
    async with (
        sshd(key, tmp_path) as entry,
        listening(conversation) as port,
        our_client(entry, "SSH", DisableApi=True, SessionID=SESSION_ID, SponsorId=SPONSOR) as (client, _),
    ):
        await conversation.hold(*await through_socks(client.ports["Socks"], "127.0.0.1", port))
        socks = f"socks5h://127.0.0.1:{client.ports['Socks']}"
        http = f"http://127.0.0.1:{client.ports['Http']}"
        for way in (["--proxy", socks], ["--proxy", http, "--proxytunnel"], ["--proxy", http]):
            fetched = await curl(*way, origin.url(f"/bytes/{MEGABYTE}"), directory=tmp_path)
            assert fetched == payload(MEGABYTE)
            counted = await curl(*way, "--data-binary", f"@{upload}", origin.url("/sum"), directory=tmp_path)
            assert json.loads(counted)["sha256"] == hashlib.sha256(payload(MEGABYTE)).hexdigest()


@pytest.mark.root
@pytest.mark.parametrize("side", ["client", "server"])
async def test_real_server_rekeying_in_the_middle(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation()
    if side == "client":
        monkeypatch.setattr(client_tunnel, "TransportConfig", partial(TransportConfig, rekey_bytes=OFTEN))
    with recorded_choices() as choices:
        async with (
            sshd("rsa", tmp_path, rekey_limit=str(OFTEN) if side == "server" else "default") as entry,
            listening(conversation) as port,
            our_client(entry, "SSH", DisableApi=True, SessionID=SESSION_ID) as (client, _),
        ):
            await conversation.hold(*await through_socks(client.ports["Socks"], "127.0.0.1", port))
    assert len(choices) >= 4


@pytest.mark.root
async def test_real_server_refusing_a_forward(tmp_path: Path) -> None:
    async with (
        sshd("ed25519", tmp_path) as entry,
        our_client(entry, "SSH", DisableApi=True, SessionID=SESSION_ID) as (client, _),
    ):
        with pytest.raises(ConnectionError):
            await through_socks(client.ports["Socks"], "127.0.0.1", unused_port())
