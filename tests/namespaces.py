"""Two machines with nothing but each other: namespaces, for tests that are root.

    the user's                                  far away
    198.51.100.1  wifi  ─────────────── wifi   198.51.100.2     192.0.2.10  for a server
    203.0.113.1   cable ─────────────── cable  203.0.113.2      192.0.2.53  names
                                                                192.0.2.80  a page, and an echo of datagrams

Each has a resolv.conf of its own: the one far away leads to the names, the user's to a trap. What the user's
machine sends leaves by `wifi` if nothing else is said. There is no IPv6, which sends packets unasked.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop.programs import Program, complete, missing, program, running

__all__ = ["ECHO_PORT", "NAME_SERVER", "PAGE", "SERVER", "SITE", "TRAP", "Machine", "two_machines"]

SERVER: Final = "192.0.2.10"
NAME_SERVER: Final = "192.0.2.53"
SITE: Final = "192.0.2.80"
TRAP: Final = "127.0.0.1"
ECHO_PORT: Final = 7
PAGE: Final = "page.example"
"""The one name that there is; it is the site's."""

_ROOT: Final = Path(__file__).parent.parent
_HOLD: Final = 'mount --bind "$1" /etc/resolv.conf && ip link set lo up && echo ready && exec sleep infinity'
_NO_IPV6: Final = "for kind in all default; do echo 1 > /proc/sys/net/ipv6/conf/$kind/disable_ipv6; done"
_LINKS: Final = {"wifi": "198.51.100", "cable": "203.0.113"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What one of them is for is up to the programs that run in it."""

    process: int  #: that its namespaces last for
    directory: Path

    def inside(self, *command: str | Path) -> tuple[str | Path, ...]:
        """Return what runs a command there."""
        return program("nsenter"), f"--target={self.process}", "--net", "--mount", "--", *command

    async def do(self, *command: str | Path) -> str:
        """Run a command there to its end; return what it printed. Raises AssertionError if it fails."""
        return (await complete(*self.inside(*command), directory=self.directory)).decode()

    @asynccontextmanager
    async def running(self, *command: str | Path) -> AsyncIterator[Program]:
        """Run a command there until the block is left."""
        async with running(*self.inside(*command), directory=self.directory) as started:
            yield started

    @asynccontextmanager
    async def module(self, name: str, says: str) -> AsyncIterator[Program]:
        """Run one of the tests' own modules there; the block begins when it `says` so."""
        command = self.inside(sys.executable, "-m", name)
        environment = {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"}
        async with running(*command, directory=self.directory, environment=environment) as started:
            await started.says(says)
            yield started


@asynccontextmanager
async def two_machines(directory: Path) -> AsyncIterator[tuple[Machine, Machine]]:
    """Give the user's and the one far away, joined, until the block is left."""
    if sys.platform != "linux" or os.geteuid():
        missing("Linux with root's rights")
    async with AsyncExitStack() as stack:
        machines = []
        for name, resolver in {"user": TRAP, "far": NAME_SERVER}.items():
            home = directory / name
            home.mkdir()
            (home / "resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:1 attempts:1\n")
            hold = (
                program("unshare"),
                "--net",
                "--mount",
                "--",
                "sh",
                "-c",
                _HOLD,
                "sh",
                home / "resolv.conf",
            )
            held = await stack.enter_async_context(running(*hold, directory=home))
            await held.says("ready")
            machines.append(Machine(held.process.pid, home))
        user, far = machines
        for machine in machines:
            await machine.do("sh", "-c", _NO_IPV6)
        for metric, (link, network) in enumerate(_LINKS.items(), 1):
            ends = "link", "add", link, "type", "veth", "peer", "name", link, "netns", str(far.process)
            await user.do("ip", *ends)
            for number, machine in enumerate(machines, 1):
                await machine.do("ip", "address", "add", f"{network}.{number}/24", "dev", link)
                await machine.do("ip", "link", "set", link, "up")
            await user.do("ip", "route", "add", "default", "via", f"{network}.2", "metric", str(metric))
        for address in (SERVER, NAME_SERVER, SITE):
            await far.do("ip", "address", "add", f"{address}/32", "dev", "lo")
        yield user, far
