"""Cancelled at any step of the loop, first to last, a client in a program leaves nothing open."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority
from tests.memory_network import settle
from tests.unit.embed.rig import FAR, TlsEcho, World, world

import headrace
from headrace.testing.virtual_time import VirtualTimeLoop

Work = Callable[[], Coroutine[Any, Any, None]]


class SteppingLoop(VirtualTimeLoop):
    """A loop on virtual time that cancels a task at one of its steps."""

    victim: asyncio.Task[None] | None = None
    steps = 0  #: until it does

    def _run_once(self) -> None:
        if self.victim is not None:
            if not self.steps:
                self.victim.cancel()
            self.steps -= 1
        super()._run_once()  # type: ignore[misc]  # typeshed leaves it out


async def cancelled_after(steps: int, work: Work) -> bool:
    """Do the work, cancelled after so many steps; return whether it was done by then."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    loop.steps, loop.victim = steps, asyncio.create_task(work())
    with suppress(asyncio.CancelledError):
        await loop.victim
    done, loop.victim = not loop.victim.cancelled(), None
    await settle()
    return done and loop.steps >= 0


def timers() -> list[str]:
    handles = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [repr(handle) for handle in handles if not handle.cancelled()]


def run(main: Coroutine[Any, Any, bool]) -> bool:
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main)


def every_step(directory: Path, test: Callable[[World, int], Coroutine[Any, Any, bool]]) -> int:
    """Run the test in a world of its own for each step at which to cancel; return how many there were."""

    async def one(step: int) -> bool:
        with world(directory) as here:
            return await test(here, step)

    return next(step for step in count() if run(one(step)))


async def use(tunnel: headrace.Tunnel, context: ssl.SSLContext | None = None) -> None:
    name = "localhost" if context else None
    reader, writer = await tunnel.open_connection(*FAR, ssl=context, server_hostname=name)
    try:
        writer.write(b"hello")
        await writer.drain()
        assert await reader.readexactly(5) == b"hello"
    finally:
        writer.close()
        with suppress(ssl.SSLError):  # of what came after our end
            await writer.wait_closed()


def test_a_whole_life(tmp_path: Path) -> None:
    async def life(here: World, step: int) -> bool:
        async def work() -> None:
            async with headrace.connect(here.config()) as tunnel:
                await use(tunnel)

        done = await cancelled_after(step, work)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for wire in here.network.wires:
            wire.drain()
        await settle()
        assert here.network.open == []
        assert timers() == []
        return done

    assert every_step(tmp_path, life) > 20


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_in_a_tunnel_that_stays(tmp_path: Path, tls: bool) -> None:
    authority = Authority(tmp_path)
    certificate = authority.certify("localhost")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    client = ssl.create_default_context(cafile=authority.file)

    async def connection(here: World, step: int) -> bool:
        if tls:
            here.network.places[FAR] = lambda: TlsEcho(server)
        async with headrace.connect(here.config()) as tunnel:
            await settle()
            before = asyncio.all_tasks(), here.network.open, len(timers())
            done = await cancelled_after(step, lambda: use(tunnel, client if tls else None))
            await settle()
            assert (asyncio.all_tasks(), here.network.open, len(timers())) == before
            (session,) = here.server.sessions
            assert session.tunnel is not None
            assert session.tunnel._connection.channels == {}
        return done

    assert every_step(tmp_path, connection) > 5
