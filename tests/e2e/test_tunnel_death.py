"""A tunnel dies, in every way there is, and another server is there to go on with.

The client and its servers are programs of their own, with a censor before each server. Keep-alives come
quickly here, to save time; that they come when they should is seen on virtual time, below.
"""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from tests.interop.programs import Program, running, through_socks, unused_port
from tests.memory_network import Destination, MemoryServer, Network, client_config, settle
from tests.processes import FOR_TESTS, kill, processes_of

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.local_connection import OPEN_TIMEOUT
from headrace.client.local_socks import SocksConnection
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.operate_settings import OperateSettings
from headrace.client.servers import FixedServers
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.censor import REFUSE, STALL, Censor, Ending
from headrace.testing.censorship import Connection, Measure, Opening, Verdict, Watch, Way
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import host_key

ADDRESSES = ("127.0.0.2", "127.0.0.3")
#: How the origin's answer begins, and what to ask for: more and more bytes, or silence.
BEGINNING = b"here you are\n"
POUR, WAIT = b"pour\n", b"wait\n"
NO_TUNNEL, TUNNEL = (f'"count":{count}}},"noticeType":"Tunnels"' for count in (0, 1))
#: A server that is not heard for so long is asked, and given up after as much time again.
SOON = {
    "SSHKeepAlivePeriodMinMilliseconds": 200,
    "SSHKeepAlivePeriodMaxMilliseconds": 300,
    "SSHKeepAlivePeriodicInactivePeriodMilliseconds": 200,
    "SSHKeepAlivePeriodicTimeoutMilliseconds": 400,
}
#: Nothing but the connection's own end tells.
NEVER = {"DisablePeriodicSshKeepAlive": True}


# ---- an origin that knows who connects ---------------------------------------------------------------------


def holder(port: int, far_port: int) -> int | None:
    """Return the process that holds a connection's end on loopback."""
    wanted = f"0100007F:{port:04X} 0100007F:{far_port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if " ".join(fields[1:3]) == wanted:
            return _process_with(f"socket:[{fields[9]}]")
    return None


def _process_with(socket: str) -> int | None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for file in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(file) == socket:
                        return int(process.name)
    return None


class WatchfulOrigin:
    """Notes whose connections it gets; says something, and goes on or falls silent as it is asked."""

    def __init__(self) -> None:
        self.holders: list[int | None] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.holders.append(holder(writer.get_extra_info("peername")[1], self.port))
        with suppress(OSError):
            wanted = await reader.readline()
            writer.write(BEGINNING)
            while wanted == POUR:
                writer.write(bytes(10_000))
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()
        writer.close()


# ---- a server, and who is in between -----------------------------------------------------------------------


class Grip(Measure):
    """Lets everything pass until it is closed; then nothing passes any more, of whatever connection."""

    def __init__(self) -> None:
        self.closed = False

    def watch(self, connection: Connection) -> Watch:
        return _Gripped(self)


class _Gripped(Watch):
    def __init__(self, grip: Grip) -> None:
        self._grip = grip

    def opening(self, now: float) -> Opening:
        return Opening(ending=STALL if self._grip.closed else None)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        ending: Ending | None = STALL if self._grip.closed else None
        return Verdict(b"" if self._grip.closed else data, ending)


class Server:
    """A server's processes, and the censor that the client has to pass."""

    def __init__(self, program: Program, censor: Censor, grip: Grip, entry: dict[str, object]) -> None:
        self.censor = censor
        self.entry = {**entry, "sshObfuscatedPort": censor.port}
        self.diagnostic_id = str(entry["tag"])[:8]
        self.processes = processes_of(program)
        self._grip = grip

    async def kill(self) -> None:
        kill(self.processes)

    async def stop(self) -> None:
        kill(self.processes, signal.SIGSTOP)

    async def reset(self) -> None:
        """Cut what there is, and whatever comes."""
        self.censor.decree(REFUSE)
        await self.censor.drop()

    async def block(self) -> None:
        """Let nothing pass any more, either way."""
        self._grip.closed = True

    async def release(self) -> None:
        """Let pass what comes."""
        self.censor.decree(())


@asynccontextmanager
async def server(directory: Path, address: str) -> AsyncIterator[Server]:
    port, grip = unused_port(), Grip()
    generated = generate_server(ip=address, protocols={"OSSH": port}, host_key=host_key("rsa"))
    generated.write(directory)
    file = directory / CONFIG_FILE
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **FOR_TESTS}))
    command = (sys.executable, "-m", "headrace", "server", "run", "--config", file, "--workers", "1")
    async with running(*command, "--listen", address, directory=directory) as program:
        await program.says(f"OSSH on port {port}")
        async with Censor(port, target_host=address, host=address, rules=grip) as censor:
            made = Server(program, censor, grip, decode_fields(generated.entry))
            try:
                yield made
            finally:
                await made.kill()  # one that was stopped hears nothing else


# ---- all of it ---------------------------------------------------------------------------------------------


class Scene:
    """A client that knows two servers, connected to one of them. `settings` go over its configuration."""

    def __init__(self, directory: Path, settings: Mapping[str, object]) -> None:
        self._directory = directory
        self._settings = settings
        self._stack = AsyncExitStack()
        self.origin = WatchfulOrigin()
        self.servers: list[Server] = []
        self.client: Program

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.origin)
            starting = [server(self._directory / address, address) for address in ADDRESSES]
            self.servers += await asyncio.gather(*map(self._stack.enter_async_context, starting))
            self.client = await self._stack.enter_async_context(self._run_client())
            self.active = await self.connected()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    @property
    def other(self) -> Server:
        (other,) = (server for server in self.servers if server is not self.active)
        return other

    def _run_client(self) -> Any:
        config = {
            "PropagationChannelId": "F" * 16,
            "SponsorId": "F" * 16,
            "DataRootDirectory": str(self._directory),
            "EmbeddedServerEntryList": [encode_fields(server.entry) for server in self.servers],
            "LimitTunnelProtocols": ["OSSH"],
            "EstablishTunnelPausePeriodSeconds": 0.1,
            "EstablishTunnelServerAffinityGracePeriodMilliseconds": 100,
            "EmitDiagnosticNotices": True,
            **self._settings,
        }
        file = self._directory / "client.json"
        file.write_text(json.dumps(config))
        command = (sys.executable, "-m", "headrace", "client", "--config", file)
        return running(*command, directory=self._directory)

    async def connected(self, after: int = 0) -> Server:
        """Wait for the next tunnel; return whose it is."""
        told = json.loads(await self.client.says('"noticeType":"ActiveTunnel"', after))
        (active,) = (s for s in self.servers if s.diagnostic_id == told["data"]["diagnosticID"])
        return active

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.client.lines if line.startswith("{")]
        return [line["data"] for line in lines if line["noticeType"] == kind]

    def port(self, proxy: str) -> int:
        (told,) = self.told(f"Listening{proxy}ProxyPort")  # once: they stay where they are
        return int(told["port"])

    async def ask(self, what: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask the origin, through the tunnel, and hear the beginning of its answer."""
        reader, writer = await through_socks(self.port("Socks"), "127.0.0.1", self.origin.port)
        writer.write(what)
        assert await reader.readexactly(len(BEGINNING)) == BEGINNING
        return reader, writer

    async def http(self, request: str) -> bytes:
        """Make a request to the HTTP proxy; return all of its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port("Http"))
        writer.write(f"{request} HTTP/1.0\r\nHost: origin\r\n\r\n".encode())
        try:
            return await reader.read()
        finally:
            writer.close()


def nobody_but_servers_connected(scene: Scene) -> bool:
    """Whether each connection that the origin has seen is held by a server."""
    return set(scene.origin.holders) <= set().union(*(server.processes for server in scene.servers))


Strike = Callable[[Server], Awaitable[None]]


@pytest.mark.parametrize(
    ("strike", "doing", "settings"),
    [
        pytest.param(Server.kill, POUR, NEVER, id="killed"),
        pytest.param(Server.reset, WAIT, NEVER, id="reset"),
        pytest.param(Server.stop, POUR, SOON, id="stopped"),
        pytest.param(Server.block, POUR, SOON, id="blocked amid a download"),
        pytest.param(Server.block, WAIT, SOON, id="blocked while idle"),
    ],
)
async def test_another_server_takes_over(
    strike: Strike, doing: bytes, settings: Mapping[str, object], tmp_path: Path
) -> None:
    async with Scene(tmp_path, settings) as scene:
        reader, writer = await scene.ask(doing)
        before = len(scene.client.lines)
        await strike(scene.active)
        with pytest.raises(ConnectionResetError):  # the application is not left waiting, nor told of an end
            while await reader.read(65536):
                pass
            raise AssertionError("a broken stream looks finished")
        writer.close()
        assert await scene.connected(before) is scene.other
        await scene.client.says(TUNNEL, before)
        counts = [data["count"] for data in scene.told("Tunnels")]
        assert counts == [0, 1, 0, 1]
        _, writer = await scene.ask(WAIT)
        writer.close()
        assert len(scene.origin.holders) == 2
        assert nobody_but_servers_connected(scene)


async def test_nothing_goes_around_the_tunnel_while_there_is_none(tmp_path: Path) -> None:
    async with Scene(tmp_path, NEVER) as scene:
        _, writer = await scene.ask(WAIT)
        before = len(scene.client.lines)
        await scene.other.reset()
        await scene.active.reset()
        await scene.client.says(NO_TUNNEL, before)
        origin = f"127.0.0.1:{scene.origin.port}"
        for _ in range(10):
            with pytest.raises(ConnectionError, match="the proxy answered 0500, 0501"):
                await through_socks(scene.port("Socks"), "127.0.0.1", scene.origin.port)
            for request in (f"GET http://{origin}/", f"CONNECT {origin}"):
                assert (await scene.http(request)).split()[1:2] == [b"503"]
        writer.close()
        assert len(scene.origin.holders) == 1
        await scene.active.release()
        assert await scene.connected(before) is scene.active
        _, writer = await scene.ask(WAIT)
        writer.close()
        assert len(scene.origin.holders) == 2
        assert nobody_but_servers_connected(scene)


# ---- the times, on virtual time ----------------------------------------------------------------------------

SETTINGS = OperateSettings()
ORIGIN = ("8.8.8.8", 80)
SOCKS_REQUEST = b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x08\x08\x00\x50"


class Lab:
    """A client as it is configured by default, two servers in memory, and an application with a stream."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.network = network
        self.origin = Destination()
        network.places[ORIGIN] = lambda: self.origin
        servers = [MemoryServer(network, directory, f"192.0.2.{number}") for number in (1, 2)]
        config = client_config(DisableLocalSocksProxy=True, DisableLocalHTTPProxy=True)
        notices = Notices(io.StringIO(), SYSTEM_CLOCK, NoticeOptions())
        entries = FixedServers([server.entry for server in servers])
        self.controller = Controller(config, entries, notices, SeededRng(11))
        self._run = asyncio.create_task(self.controller.run())

    async def begin(self) -> None:
        await self.controller.connected.wait()
        self.stream = self.ask()
        await settle()
        self.origin.send(BEGINNING)
        await settle()
        assert bytes(self.stream.written).endswith(BEGINNING)

    def ask(self) -> FakeTcp:
        application = FakeTcp(SocksConnection(self.controller))
        application.arrive(SOCKS_REQUEST)
        return application

    def go_silent(self) -> None:
        """Nothing that is connected now passes a byte any more."""
        for wire in self.network.wires:
            wire.stuck = True

    async def seconds_until_it_is_known(self) -> float:
        """Wait until the client knows that its tunnel is gone; the stream must have ended in that moment."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert self.stream.log == []
        await self.controller.disconnected.wait()
        known = loop.time()
        await settle()
        assert self.stream.log == ["abort"]
        await self.controller.connected.wait()
        self.controller.stop()
        await self._run
        return known - begun


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab(Network.install(monkeypatch), tmp_path)
    await lab.begin()
    return lab


@pytest.mark.virtual_time
async def test_under_load_it_takes_a_port_forwards_time_and_a_probes(lab: Lab) -> None:
    lab.go_silent()
    lab.ask()
    most = OPEN_TIMEOUT + SETTINGS.probe_timeout
    assert (OPEN_TIMEOUT, SETTINGS.probe_timeout) == (10, 5)
    assert await lab.seconds_until_it_is_known() == pytest.approx(most)


@pytest.mark.virtual_time
async def test_idle_it_takes_a_keep_alives_time(lab: Lab) -> None:
    lab.go_silent()
    least, most = SETTINGS.keepalive_period
    assert (least, most, SETTINGS.keepalive_timeout) == (60, 120, 30)
    assert least + 30 <= await lab.seconds_until_it_is_known() <= most + 30


@pytest.mark.virtual_time
@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_connections_own_end_tells_at_once(lab: Lab, end: str) -> None:
    await asyncio.sleep(3)
    (wire, *_) = (wire for wire in lab.network.wires if not wire.lost)
    getattr(wire, end)()
    assert await lab.seconds_until_it_is_known() < 0.01
