"""Real proxies on loopback, each with a configuration of its own: tinyproxy, squid, microsocks, ssh -D.

async with proxy("squid with Digest", tmp_path) as place:      # "127.0.0.1:40123"
    UpstreamProxy.parse(url_of("squid with Digest", place))
"""

import asyncio
import base64
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import spnego
from tests.interop.ours import our_server
from tests.interop.programs import missing, program, running, unused_port
from tests.interop.test_openssh import ssh

from headrace.base.errors import NetworkError
from headrace.net.resolve import Answer, Resolver

__all__ = ["HERE", "KINDS", "LOGIN", "USER", "WITH_A_LOGIN", "basic", "proxy", "squid", "url_of"]

HERE: Final = "127.0.0.1"
#: As it is written in a URL; the user of a Windows domain in the second.
LOGIN, NTLM_LOGIN = "ann:s3cret", "CORP%5Cann:s3cret"
USER, PASSWORD = LOGIN.split(":")
REALM: Final = 'Our "proxy", all of it'


@asynccontextmanager
async def tinyproxy(host: str, directory: Path, *settings: str) -> AsyncIterator[int]:
    port = unused_port()
    config = directory / "tinyproxy.conf"
    lines = [f"Port {port}", f"Listen {host}", f"Allow {host}", "LogLevel Info", *settings]
    config.write_text("\n".join(lines) + "\n")
    async with running(program("tinyproxy"), "-d", "-c", config, directory=directory) as child:
        await child.says("Accepting connections")
        yield port


@asynccontextmanager
async def microsocks(host: str, directory: Path, *options: str) -> AsyncIterator[int]:
    port = unused_port()
    command = (program("microsocks"), "-i", host, "-p", str(port), *options)
    async with running(*command, directory=directory):
        await _listening(host, port)
        yield port


class Names:
    """A name server that knows this machine only."""

    async def query(self, name: str) -> Sequence[Answer]:
        if name != "localhost":
            raise NetworkError("the name does not exist")
        return [(HERE, 60)]

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def openssh(host: str, directory: Path) -> AsyncIterator[int]:
    port = unused_port()
    async with our_server(directory / "far") as server:
        server.worker.resolver = Resolver(backend=Names)
        async with ssh(server, directory, "-D", f"{_bracketed(host)}:{port}"):
            yield port


@asynccontextmanager
async def squid(
    host: str, *settings: str, files: dict[str, str] | None = None, access: Sequence[str] = ("allow all",)
) -> AsyncIterator[int]:
    """Run squid with further settings; `files` are written beside its configuration, which is `{here}`.

    Started by root it becomes the user `proxy`, who may not look into pytest's directories: it gets another.
    """
    executable = program("squid")
    port = unused_port()
    with tempfile.TemporaryDirectory(prefix="squid-") as name:
        here = Path(name)
        here.chmod(0o755)
        for file, text in (files or {}).items():
            (here / file).write_text(text)
            (here / file).chmod(0o644)
        lines = [
            f"http_port {_bracketed(host)}:{port}",
            "visible_hostname localhost",
            "pid_filename none",
            "access_log none",
            "cache_log /dev/null",
            "cache deny all",
            "cache_mem 8 MB",
            "coredump_dir none",
            "pinger_enable off",
            "netdb_filename none",
            "dns_nameservers 127.0.0.1",
            "shutdown_lifetime 0 seconds",
            *(setting.format(here=here) for setting in settings),
            *(f"http_access {rule}" for rule in access),
            "http_access deny all",
        ]
        config = here / "squid.conf"
        config.write_text("\n".join(lines) + "\n")
        async with running(executable, "-N", "-d", "1", "-f", config, directory=here) as child:
            await child.says("Accepting HTTP Socket connections")  # which is a little early
            await _listening(host, port)
            try:
                yield port
            finally:
                child.process.kill()  # asked to end it takes two seconds, and there is nothing to be saved


def helper(name: str) -> str:
    """Return the path of one of squid's own helpers."""
    return shutil.which(name, path="/usr/lib/squid:/usr/lib64/squid:/usr/libexec/squid") or missing(name)


KNOWN: Final = ("acl known proxy_auth REQUIRED",)
KNOWN_ONLY: Final = ("allow known",)


def basic() -> tuple[str, ...]:
    """Return settings for Basic; the passwords are in the file `passwords`."""
    return (f"auth_param basic program {helper('basic_ncsa_auth')} {{here}}/passwords", *_few("basic"))


def digest() -> tuple[str, ...]:
    """Return settings for Digest; the hashed passwords are in the file `digests`."""
    program = f"auth_param digest program {helper('digest_file_auth')} -c {{here}}/digests"
    return (program, f"auth_param digest realm {REALM}", *_few("digest"))


def passwords() -> dict[str, str]:
    """Return the password files of the two."""
    hashed = hashlib.md5(PASSWORD.encode()).hexdigest()
    proof = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    return {"passwords": f"{USER}:{hashed}\n", "digests": f"{USER}:{REALM}:{proof}\n"}


def _few(scheme: str) -> tuple[str, ...]:
    return (f"auth_param {scheme} children 2 startup=1 idle=1",)


@asynccontextmanager
async def squid_with_basic(host: str, directory: Path) -> AsyncIterator[int]:
    settings = (*basic(), *KNOWN)
    async with squid(host, *settings, files=passwords(), access=KNOWN_ONLY) as port:
        yield port


@asynccontextmanager
async def squid_with_digest(host: str, directory: Path) -> AsyncIterator[int]:
    settings = (*digest(), *basic(), *KNOWN)
    async with squid(host, *settings, files=passwords(), access=KNOWN_ONLY) as port:
        yield port


@asynccontextmanager
async def squid_with_ntlm(host: str, directory: Path) -> AsyncIterator[int]:
    """NTLM whose messages are verified, by the server's half of the library, here in this process.

    Squid's helper only carries its questions here: it runs as a user who may not read this Python.
    """
    users = directory / "users"
    users.write_text(f"CORP:{USER}:{PASSWORD}\n")
    before = os.environ.get("NTLM_USER_FILE")
    os.environ["NTLM_USER_FILE"] = str(users)
    questions = await asyncio.start_server(_verify, HERE, 0)
    port = questions.sockets[0].getsockname()[1]
    carry = f"exec 3<>/dev/tcp/{HERE}/{port}\ncat <&3 &\nexec cat >&3\n"
    settings = (
        f"auth_param ntlm program {shutil.which('bash')} {{here}}/carry",
        *_few("ntlm"),
        *basic(),
        *KNOWN,
    )
    try:
        async with squid(
            host, *settings, files={**passwords(), "carry": carry}, access=KNOWN_ONLY
        ) as listening:
            yield listening
    finally:
        questions.close()
        if before is None:
            del os.environ["NTLM_USER_FILE"]
        else:
            os.environ["NTLM_USER_FILE"] = before


async def _verify(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one helper's questions: YR is a first message, KK a last one."""
    context: spnego.ContextProxy | None = None
    try:
        while line := (await reader.readline()).split():
            message = base64.b64decode(line[1]) if len(line) > 1 else b""
            if line[0] == b"YR":
                context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
                challenge = context.step(message)
                assert challenge is not None
                writer.write(b"TT " + base64.b64encode(challenge) + b"\n")
            else:
                assert context is not None
                try:
                    context.step(message)
                except spnego.exceptions.SpnegoError:
                    writer.write(b"NA wrong\n")
                else:
                    writer.write(f"AF {context.client_principal}\n".encode())
    finally:
        writer.close()


_STARTERS: Final[dict[str, Callable[[str, Path], AbstractAsyncContextManager[int]]]] = {
    "http": tinyproxy,
    "http with a login": lambda host, directory: tinyproxy(host, directory, f"BasicAuth {USER} {PASSWORD}"),
    "squid": lambda host, directory: squid(host),
    "squid with Basic": squid_with_basic,
    "squid with Digest": squid_with_digest,
    "squid with NTLM": squid_with_ntlm,
    "socks5": microsocks,
    "socks5 with a login": lambda host, directory: microsocks(host, directory, "-u", USER, "-P", PASSWORD),
    "socks4a": openssh,
}
KINDS: Final = list(_STARTERS)
WITH_A_LOGIN: Final = [kind for kind in KINDS if " with " in kind]


@asynccontextmanager
async def proxy(kind: str, directory: Path, host: str = HERE) -> AsyncIterator[str]:
    """Run a proxy; give where it is, for what follows `scheme://` and the login."""
    async with _STARTERS[kind](host, directory) as port:
        yield f"{_bracketed(host)}:{port}"


def url_of(kind: str, place: str, login: str | None = None) -> str:
    """Return a proxy's URL, with its login unless there is to be another."""
    if login is None:
        login = "" if kind not in WITH_A_LOGIN else NTLM_LOGIN if "NTLM" in kind else LOGIN
    scheme = kind.split()[0].replace("squid", "http")
    return f"{scheme}://{login}{'@' if login else ''}{place}"


async def _listening(host: str, port: int) -> None:
    """Wait until a program that does not say when it is ready has opened its port."""
    async with asyncio.timeout(20):
        while True:
            try:
                socket.create_connection((host, port), timeout=5).close()
                return
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
