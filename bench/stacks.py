"""Whole stacks: a client and a server of some make, with a SOCKS proxy at the front, ready to be loaded.

Every server is made anew with keys of its own, on loopback, and lets its clients go to loopback destinations.
The deployed Go programs take part where HEADRACE_PSIPHOND and HEADRACE_CONSOLE_CLIENT name them. They draw
the cipher per connection; builds that can be told which one to use are told through the environment variable
that HEADRACE_GO_CIPHER_VARIABLE names.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import ours
from bench.programs import BenchError, Program, accepts, free_port

__all__ = [
    "ASYNCSSH",
    "CIPHER",
    "GO",
    "GO_CLIENT",
    "GO_OVER_OURS",
    "OPENSSH",
    "OURS",
    "OURS_OVER_GO",
    "Stack",
    "Stacks",
]

OURS = "headrace"
GO = "Go pair"
GO_CLIENT = "Go client"
GO_OVER_OURS = "Go client, our server"
OURS_OVER_GO = "our client, Go server"
OPENSSH = "OpenSSH -D"
ASYNCSSH = "asyncssh"

#: What OSSH uses between two ends of ours, hence what the others are made to use.
CIPHER = "chacha20-poly1305@openssh.com"


@dataclass(frozen=True, slots=True)
class Stack:
    """A running pair: the ports of its proxies and its processes; descendants count as well.

    `http_port` is that of the HTTP proxy, where one was asked for.
    """

    name: str
    cipher: str
    socks_port: int
    client: Program
    server: Program
    http_port: int | None = None

    @property
    def pids(self) -> tuple[int, int]:
        return self.client.pid, self.server.pid


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: ports by protocol and the encoded entry for clients."""

    program: Program
    ports: dict[str, int]
    entry: str


class Stacks:
    """Starts stacks and servers in directories below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0
        self._psiphond = os.environ.get("HEADRACE_PSIPHOND")
        self._console_client = os.environ.get("HEADRACE_CONSOLE_CLIENT")
        self._pin = os.environ.get("HEADRACE_GO_CIPHER_VARIABLE")

    def missing(self, name: str) -> str:
        """Return why a stack cannot be had here, "" if it can."""
        if name in (GO, GO_OVER_OURS, OURS_OVER_GO) and not (self._psiphond and self._console_client):
            return "HEADRACE_PSIPHOND and HEADRACE_CONSOLE_CLIENT are not set"
        if name == OPENSSH:
            if not (shutil.which("ssh") and self._sshd):
                return "OpenSSH's client and server are not installed"
            if os.geteuid() != 0:
                return "a private sshd needs root"
        return ""

    @property
    def _sshd(self) -> str | None:
        return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")

    @contextmanager
    def start(self, name: str, protocol: str = "OSSH") -> Iterator[Stack]:
        """Run a stack for the length of a with block."""
        with ExitStack() as stack:
            if name == OPENSSH:
                made = self._openssh(stack)
            elif name == ASYNCSSH:
                made = self._asyncssh(stack)
            else:
                ours_serves = name in (OURS, GO_OVER_OURS)
                server = stack.enter_context(self.server("headrace" if ours_serves else "psiphond"))
                made = self.client(stack, server, name, protocol)
            yield made

    @contextmanager
    def server(
        self,
        kind: str,
        *,
        workers: int = 1,
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Iterator[Server]:
        """Run a server alone: "headrace", "psiphond" or "asyncssh".

        `workers`, and additions to its environment and its settings, are ours only.
        """
        directory = self._directory(kind)
        if kind == "headrace":
            ports, entry = ours.new_server(directory, settings=settings)
            program = ours.start_server(directory, workers=workers, env=env)
        elif kind == "psiphond":
            ports, entry, program = self._start_psiphond(directory)
        else:
            port = free_port()
            ports = {"SSH": port}
            command = [sys.executable, "-m", "bench.peers.asyncssh_server", str(port), CIPHER]
            program = Program(command, directory / "asyncssh-server.log").ready_when_logged("READY")
            entry = ""
        try:
            yield Server(program, ports, entry)
        finally:
            program.stop()

    def client(
        self, stack: ExitStack, server: Server, name: str, protocol: str = "OSSH", *, http: bool = False
    ) -> Stack:
        """Start one more client, of the make that `name` says, on a running server.

        With `http` it has an HTTP proxy too, unless it is asyncssh, which knows none.
        """
        socks_port, http_port = free_port(), free_port() if http else None
        directory = self._directory("client")
        if name == ASYNCSSH:
            port = server.ports["SSH"]
            command = [
                sys.executable,
                "-m",
                "bench.peers.asyncssh_client",
                str(port),
                str(socks_port),
                CIPHER,
            ]
            program = Program(command, directory / "asyncssh-client.log").ready_when_logged("READY")
        elif name in (OURS, OURS_OVER_GO):
            program = ours.start_client(directory, server.entry, protocol, socks_port, http_port)
        else:
            config = ours.client_config(directory, server.entry, protocol, socks_port, http_port)
            command = [str(self._console_client), "-config", str(config)]
            program = Program(command, directory / "console-client.log", env=self._go_environment())
            stack.callback(program.stop)
            program.ready_when_logged(ours.CONNECTED)
        stack.callback(program.stop)
        return Stack(name, self.cipher(name), socks_port, program, server.program, http_port)

    def cipher(self, name: str) -> str:
        """Say which cipher a stack uses. Our ends put the one that hides lengths first, and stick to it."""
        return "as negotiated" if name in (GO, GO_OVER_OURS) and not self._pin else CIPHER

    # ---- the peers ------------------------------------------------------------------------------------

    def _start_psiphond(self, directory: Path) -> tuple[dict[str, int], str, Program]:
        if self._psiphond is None:
            raise BenchError("HEADRACE_PSIPHOND is not set")
        ports = {"OSSH": free_port(), "SSH": free_port()}
        protocols = [text for name, port in ports.items() for text in ("-protocol", f"{name}:{port}")]
        log = ["-logFilename", str(directory / "psiphond.json")]
        subprocess.run(
            [self._psiphond, "-ipaddress", "127.0.0.1", *protocols, *log, "generate"],
            cwd=directory,
            check=True,
            capture_output=True,
        )
        ours.loosen(directory, {"SkipPanickingLogWriter": True})
        command = [self._psiphond, "-config", "psiphond.config", "run"]
        program = Program(command, directory / "psiphond.log", cwd=directory, env=self._go_environment())
        program.ready(lambda: all(map(accepts, ports.values())))
        return ports, (directory / ours.ENTRY_FILE).read_text().strip(), program

    def _go_environment(self) -> dict[str, str]:
        return {self._pin: CIPHER} if self._pin else {}

    def _openssh(self, stack: ExitStack) -> Stack:
        directory = self._directory("openssh")
        port, socks_port = free_port(), free_port()
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(command, check=True)
        (directory / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {directory}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {directory}/user_key.pub\nStrictModes no\nPermitRootLogin yes\n"
            f"AllowTcpForwarding yes\nCiphers {CIPHER}\nUseDNS no\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        sshd = Program([str(self._sshd), "-D", "-e", "-f", directory / "sshd_config"], directory / "sshd.log")
        stack.callback(sshd.stop)
        sshd.ready(lambda: accepts(port))
        options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
        command = ["ssh", "-F", "none", "-N", "-D", str(socks_port), "-p", str(port), "-c", CIPHER]
        command += [text for option in options for text in ("-o", option)]
        ssh = Program([*command, "-i", str(directory / "user_key"), "root@127.0.0.1"], directory / "ssh.log")
        stack.callback(ssh.stop)
        ssh.ready(lambda: accepts(socks_port))
        return Stack(OPENSSH, CIPHER, socks_port, ssh, sshd)

    def _asyncssh(self, stack: ExitStack) -> Stack:
        return self.client(stack, stack.enter_context(self.server("asyncssh")), ASYNCSSH)

    def _directory(self, name: str) -> Path:
        self._count += 1
        directory = self._root / f"{self._count:02}-{name}"
        directory.mkdir(mode=0o700)
        return directory
