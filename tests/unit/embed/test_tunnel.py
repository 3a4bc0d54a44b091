"""A client in a program: from the first tunnel to the end, and nothing is left."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.memory_network import HANGS, settle
from tests.unit.embed.rig import FAR, NAME, World, world

import headrace
from headrace.base.errors import ConnectRefused, NetworkError, OperatorError
from headrace.client.status import State
from headrace.ssh.forwarding import Failure

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def now() -> float:
    return asyncio.get_running_loop().time()


async def echoed(tunnel: headrace.Tunnel, text: bytes, host: str = FAR[0]) -> bytes:
    """Send something to the echo and return what comes back."""
    reader, writer = await tunnel.open_connection(host, FAR[1])
    writer.write(text)
    writer.write_eof()
    answer = await reader.readexactly(len(text))
    writer.close()
    await writer.wait_closed()
    return answer


async def test_bytes_there_and_back_and_then_nothing_is_left(here: World) -> None:
    before = asyncio.all_tasks()
    async with headrace.connect(here.config()) as tunnel:
        assert await echoed(tunnel, b"hello") == b"hello"
        states = [tunnel.status.state]
        begun = now()
    assert now() - begun <= 2
    assert [*states, tunnel.status.state] == [State.CONNECTED, State.ENDED]
    await settle()
    assert here.network.open == []
    assert asyncio.all_tasks() == before


async def test_names_are_resolved_at_the_far_end(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        assert await echoed(tunnel, b"hello", NAME) == b"hello"
    assert here.network.dialled[-1] == FAR


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("93.184.215.15", Failure.REFUSED),
        ("nowhere.example", Failure.NO_SUCH_NAME),
        ("a" * 64 + ".example", Failure.NO_SUCH_NAME),
        ("127.0.0.1", Failure.FORBIDDEN),
        ("93.184.215.16", Failure.TIMED_OUT),
    ],
)
async def test_why_there_is_no_connection(here: World, host: str, why: Failure) -> None:
    here.network.places["93.184.215.15", FAR[1]] = ConnectRefused("Connection refused")
    here.network.places["93.184.215.16", FAR[1]] = HANGS
    async with headrace.connect(here.config()) as tunnel:
        with pytest.raises(headrace.ConnectionFailed) as raised:
            await tunnel.open_connection(host, FAR[1], timeout=5)
    assert raised.value.why is why
    assert isinstance(raised.value, ConnectionError)
    assert isinstance(raised.value, headrace.HeadraceError)
    assert raised.value.strerror == str(raised.value)


async def test_no_tunnel_in_time(here: World) -> None:
    here.network.places[here.server.address, 4001] = here.network.places[here.server.address, 4002] = HANGS
    begun = now()
    with pytest.raises(NetworkError, match="there is no tunnel within 30 s"):
        async with headrace.connect(here.config(), timeout=30):
            raise AssertionError("there is none")
    assert 30 <= now() - begun <= 32
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_configuration_says_how_long_to_try(here: World) -> None:
    here.network.places[here.server.address, 4001] = here.network.places[here.server.address, 4002] = HANGS
    with pytest.raises(NetworkError, match="there is no tunnel: no server could be reached within 50s"):
        async with headrace.connect(here.config(EstablishTunnelTimeoutSeconds=50)):
            raise AssertionError("there is none")
    assert now() == pytest.approx(50, abs=3)


async def test_nobody_to_connect_to() -> None:
    names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
    with pytest.raises(OperatorError, match="no server entry"):
        async with headrace.connect(names):
            raise AssertionError("there is none")


async def test_a_data_directory_that_is_not_there(here: World, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="does not exist; make it first"):
        async with headrace.connect(here.config(DataRootDirectory=str(tmp_path / "missing"))):
            raise AssertionError("there is none")


async def test_what_is_learned_is_kept_in_a_data_directory(here: World, tmp_path: Path) -> None:
    async with headrace.connect(here.config(DataRootDirectory=str(tmp_path))):
        pass
    assert list(tmp_path.rglob("client-store.db"))


async def test_an_error_in_the_block_ends_the_client_and_goes_on(here: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with headrace.connect(here.config()) as tunnel:
            raise ZeroDivisionError
    assert tunnel.status.state is State.ENDED
    await settle()
    assert here.network.open == []


async def test_a_lost_tunnel_resets_its_connections_and_is_made_anew(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        reader, writer = await tunnel.open_connection(*FAR)
        waiting = asyncio.create_task(reader.read(1))
        await settle()
        here.lose_tunnels()
        with pytest.raises(ConnectionResetError, match="the tunnel was lost"):
            await waiting
        writer.close()
        assert await echoed(tunnel, b"again") == b"again"  # which waits for the next tunnel


async def test_connections_wait_for_a_tunnel_but_not_for_ever(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        for port in (4001, 4002):
            here.network.places[here.server.address, port] = HANGS
        here.lose_tunnels()
        await settle()
        begun = now()
        with pytest.raises(headrace.ConnectionFailed) as raised:
            await tunnel.open_connection(*FAR, timeout=20)
        assert raised.value.why is Failure.NO_TUNNEL
        assert now() - begun == pytest.approx(20)


async def test_who_waits_for_a_tunnel_does_not_after_the_end(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        for port in (4001, 4002):
            here.network.places[here.server.address, port] = HANGS
        here.lose_tunnels()
        await settle()
        waiting = asyncio.create_task(tunnel.open_connection(*FAR, timeout=1000))
        await settle()
    begun = now()
    for attempt in (waiting, tunnel.open_connection(*FAR, timeout=1000)):
        with pytest.raises(headrace.ConnectionFailed, match="no tunnel"):
            await attempt
    assert now() - begun < 1


async def test_open_connections_are_reset_at_the_end(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        reader, writer = await tunnel.open_connection(*FAR)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()


async def test_statuses_from_now_until_the_end(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        statuses = tunnel.statuses()
        assert (await anext(statuses)).state is State.CONNECTED
        here.lose_tunnels()
        while (await anext(statuses)).state is not State.RECONNECTING:
            pass
        while (await anext(statuses)).state is not State.CONNECTED:
            pass
    assert [status.state async for status in statuses] == [State.ENDED]  # a slow reader gets the latest
    assert [status.state async for status in tunnel.statuses()] == [State.ENDED]


async def test_events_are_what_the_client_tells(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        events = tunnel.events()
        here.lose_tunnels()
        async for event in events:
            if event.name == "Tunnels":
                assert event.data == {"count": 0}
                break
    assert [event.name async for event in events][-1] == "Exiting"
    assert [event async for event in tunnel.events()] == []


async def test_feeds_that_nobody_keeps_are_dropped(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        tunnel.events()
        async for _ in tunnel.statuses():
            break
        assert not tunnel._events
        assert not tunnel._statuses


async def test_two_hundred_tasks_at_once(here: World) -> None:
    async with headrace.connect(here.config()) as tunnel:
        texts = [number.to_bytes(2, "big") * 5000 for number in range(200)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(echoed(tunnel, text)) for text in texts]
        assert [task.result() for task in tasks] == texts
