"""What leaves a user's machine: packets to the server, and not one question for a name."""

import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.programs import Program, program
from tests.namespaces import ECHO_PORT, NAME_SERVER, PAGE, SERVER, SITE, Machine, two_machines
from tests.processes import FOR_TESTS

from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.peers import host_key

pytestmark = pytest.mark.root

HEADRACE = (sys.executable, "-m", "headrace")
OSSH_PORT = 4022

#: How programs ask the proxies for names.
CURL = {
    "SOCKS5": ("--proxy", "socks5h://127.0.0.1:{socks}"),
    "SOCKS4A": ("--proxy", "socks4a://127.0.0.1:{socks}"),
    "CONNECT": ("--proxytunnel", "--proxy", "http://127.0.0.1:{http}"),
    "HTTP": ("--proxy", "http://127.0.0.1:{http}"),
}
DATAGRAM = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.datagrams import Application

async def main():
    async with Application({{socks}}) as application:
        print(await application.ask({PAGE!r}, {ECHO_PORT}, b"hello"))

asyncio.run(main())
"""
KNOCK = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('198.51.100.2', 9))"


@asynccontextmanager
async def far_away(machine: Machine) -> AsyncIterator[str]:
    """Run a server, and all that its clients could want, far away; give the server's entry."""
    generated = generate_server(ip=SERVER, protocols={"OSSH": OSSH_PORT}, host_key=host_key("rsa"))
    generated.write(machine.directory)
    config = machine.directory / CONFIG_FILE
    settings = {**FOR_TESTS, "DNSResolverIPAddress": NAME_SERVER}
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
    serve = (*HEADRACE, "server", "run", "--config", config, "--listen", SERVER, "--workers", "1")
    async with machine.module("tests.far_site", "open"), machine.running(*serve) as server:
        await server.says("OSSH on port")
        yield generated.entry


@asynccontextmanager
async def connected(machine: Machine, entry: str, **settings: object) -> AsyncIterator[dict[str, int]]:
    """Run a client on the user's machine, until the block is left; give its proxies' ports."""
    config = machine.directory / "client.json"
    fields = {**CHANNEL_AND_SPONSOR, "DataRootDirectory": str(machine.directory), "TargetServerEntry": entry}
    config.write_text(json.dumps({**fields, **settings}))
    async with machine.running(*HEADRACE, "client", "--config", config) as client:
        await client.says('{"data":{"count":1},"noticeType":"Tunnels"')
        told = "\n".join(client.lines)
        yield {
            kind.lower(): int(port)
            for port, kind in re.findall(
                r'{"port":(\d+)},"noticeType":"Listening(Socks|Http)ProxyPort"', told
            )
        }


async def seen(watch: Program, machine: Machine) -> set[str]:
    """Return all that was seen; it is a mistake not to see a packet and a question that are really sent."""
    await machine.do(sys.executable, "-c", KNOCK)
    await watch.says("sent wifi 198.51.100.2")
    async with machine.running("getent", "hosts", "canary.example"):
        await watch.says("asked canary.example")
    return set(watch.lines) - {"watching", "sent wifi 198.51.100.2", "asked canary.example"}


async def test_names_are_looked_up_at_the_far_end_only(tmp_path: Path) -> None:
    async with (
        two_machines(tmp_path) as (user, far),
        far_away(far) as entry,
        user.module("tests.packet_watch", "watching") as watch,
        connected(user, entry) as ports,
    ):
        curl = (program("curl"), "-q", "--silent", "--show-error")
        for way, options in CURL.items():
            proxy = [option.format_map(ports) for option in options]
            assert await user.do(*curl, *proxy, f"http://{PAGE}/") == "hello\n", way
            with pytest.raises(AssertionError, match=r"curl: \(\d+\)"):
                await user.do(*curl, "--fail", *proxy, "http://nowhere.example/")
        page = f"http://127.0.0.1:{ports['http']}/tunneled/http%3A%2F%2F{PAGE}%2F"
        assert await user.do(*curl, page) == "hello\n"
        answer = await user.do(sys.executable, "-c", DATAGRAM.format_map(ports))
        assert answer == f"('{SITE}', {ECHO_PORT}, b'hello')\n"
        assert await seen(watch, user) == {f"sent wifi {SERVER}"}


async def test_a_client_leaves_by_the_interface_it_is_bound_to(tmp_path: Path) -> None:
    async with (
        two_machines(tmp_path) as (user, far),
        far_away(far) as entry,
        user.module("tests.packet_watch", "watching") as watch,
        connected(user, entry, BindInterface="cable", SplitTunnelExcludedHosts=[SITE]) as ports,
    ):
        curl = (
            program("curl"),
            "-q",
            "--silent",
            "--show-error",
            "--proxy",
            f"socks5h://127.0.0.1:{ports['socks']}",
        )
        assert await user.do(*curl, f"http://{PAGE}/") == "hello\n"
        assert await seen(watch, user) == {f"sent cable {SERVER}"}
        assert await user.do(*curl, f"http://{SITE}/") == "hello\n"
        assert await seen(watch, user) == {f"sent cable {SERVER}", f"sent cable {SITE}"}
