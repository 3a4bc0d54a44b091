"""The censor does to each connection what its rule says, to the byte, and leaves nothing behind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import pytest_asyncio

from headrace.net.dial import reset
from headrace.testing.censor import CLOSE, KEPT, PASS, REFUSE, RESET, STALL, Censor, Rule
from headrace.testing.censorship import DROPPED, REFUSED, RESET_CLIENT, RESET_TARGET, Way
from headrace.testing.conditions import Residual
from headrace.testing.measures import Block, Lag, Raid, TimeLimit
from headrace.testing.origin import payload
from headrace.testing.tampering import Corrupt, Inject

BODY = payload(300_000)
NEVER = 3600.0  # seconds of virtual time

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Target:
    """Says `BODY` to whoever connects, then listens to the end of what they say, and ends as well."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    broken: asyncio.Event = field(default_factory=asyncio.Event)  #: a connection was reset
    resets: bool = False  #: reset connections at their end

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(BODY)
            await writer.drain()
            self.heard.append(await reader.read(-1))
            if self.resets:
                reset(cast("asyncio.Transport", writer.transport))
        except OSError:
            self.broken.set()
        finally:
            writer.close()


@pytest_asyncio.fixture
async def target() -> AsyncIterator[Target]:
    there = Target()
    server = await asyncio.start_server(there.talk, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    yield there
    server.close()


async def connect(censor: Censor) -> Streams:
    return await asyncio.open_connection(censor.host, censor.port)


async def take(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """Return what comes, and whether it ended as it should rather than being broken."""
    taken = b""
    try:
        while piece := await reader.read(65_536):
            taken += piece
    except ConnectionResetError:
        return taken, False
    return taken, True


@pytest.mark.both_loops
async def test_what_passes_is_counted_and_ends_on_each_side_apart(target: Target) -> None:
    async with Censor(target.port) as censor:
        reader, writer = await connect(censor)
        assert await reader.readexactly(len(BODY)) == BODY
        writer.write(BODY[:1000])
        writer.write_eof()
        assert await take(reader) == (b"", True)
        writer.close()
        (passage,) = censor.connections
        await passage.ended.wait()
    assert target.heard == [BODY[:1000]]
    assert (passage.up.passed, passage.down.passed) == (censor.up, censor.down) == (1000, len(BODY))
    assert passage.up.first == passage.down.first == BODY[:KEPT]
    assert not passage.struck.is_set()


@pytest.mark.both_loops
@pytest.mark.parametrize("size", [1, 1000, 65_536, 299_999, 300_000])
async def test_a_connection_is_reset_after_exactly_so_many_bytes(size: int, target: Target) -> None:
    async with Censor(target.port, rules=[Rule(RESET, down=size)]) as censor:
        reader, writer = await connect(censor)
        assert await take(reader) == (BODY[:size], False)
        writer.close()
        await censor.connections[0].ended.wait()
        assert censor.connections[0].struck.is_set()
        assert censor.down == size


@pytest.mark.both_loops
async def test_the_other_direction_has_its_own_limit(target: Target) -> None:
    async with Censor(target.port, rules=[Rule(RESET, up=10)]) as censor:
        reader, writer = await connect(censor)
        await reader.readexactly(len(BODY))
        writer.write(BODY[:9])
        writer.write(BODY[9:30])
        assert await take(reader) == (b"", False)
        writer.close()
        assert censor.up == 10
    await target.broken.wait()
    assert target.heard == []


@pytest.mark.both_loops
@pytest.mark.parametrize("size", [0, 1, 70_000])
async def test_a_connection_is_closed_as_if_that_had_been_all(size: int, target: Target) -> None:
    async with Censor(target.port, rules=[Rule(CLOSE, down=size)]) as censor:
        reader, writer = await connect(censor)
        assert await take(reader) == (BODY[:size], True)
        writer.write(BODY)  # nobody listens, and nobody minds
        await writer.drain()
        writer.close()
        await censor.connections[0].ended.wait()
        assert censor.down == size


@pytest.mark.virtual_time
@pytest.mark.parametrize("size", [0, 1, 70_000])
async def test_a_stalled_connection_says_nothing_until_the_client_leaves(size: int, target: Target) -> None:
    async with Censor(target.port, rules=[Rule(STALL, down=size)]) as censor:
        reader, writer = await connect(censor)
        assert await reader.readexactly(size) == BODY[:size]
        (passage,) = censor.connections
        await passage.struck.wait()
        writer.write(BODY[:KEPT])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(NEVER):
                await reader.read(1)
        assert passage.up.first == BODY[:KEPT]  # it looks on
        assert (passage.up.passed, passage.down.passed) == (0, size)
        assert not passage.ended.is_set()
        writer.close()
        await passage.ended.wait()
    assert target.heard == []


@pytest.mark.both_loops
@pytest.mark.parametrize("rule", [REFUSE, Rule(CLOSE, up=0), Rule(STALL, down=0)])
async def test_a_rule_that_lets_nothing_through_does_not_dial(rule: Rule) -> None:
    dialled = []
    server = await asyncio.start_server(lambda *_: dialled.append(1), "127.0.0.1", 0)
    async with server, Censor(server.sockets[0].getsockname()[1], rules=[rule]) as censor:
        _, writer = await connect(censor)
        passage = await censor.connection(0)
        await passage.struck.wait()
        writer.close()
        await passage.ended.wait()
    assert dialled == []


async def test_rules_are_taken_in_turn_and_then_everything_passes(target: Target) -> None:
    async with Censor(target.port, rules=[REFUSE, Rule(CLOSE, down=5)]) as censor:
        assert [await length(censor) for _ in range(4)] == [0, 5, len(BODY), len(BODY)]
        censor.decree(itertools.repeat(REFUSE))
        assert [await length(censor) for _ in range(3)] == [0, 0, 0]
        censor.decree(lambda number: Rule(RESET, down=number) if number < 8 else PASS)
        assert [await length(censor) for _ in range(2)] == [7, len(BODY)]
        assert [passage.number for passage in censor.connections] == list(range(9))


async def test_it_may_stand_elsewhere(target: Target) -> None:
    server = await asyncio.start_server(target.talk, "127.0.0.3", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Censor(port, target_host="127.0.0.3", host="127.0.0.2") as censor:
        assert await length(censor) == len(BODY)


async def length(censor: Censor) -> int:
    """Return how many bytes one connection brings."""
    reader, writer = await connect(censor)
    writer.write_eof()
    taken, _ = await take(reader)
    writer.close()
    return len(taken)


@pytest.mark.virtual_time
@pytest.mark.parametrize("rule", [Rule(rate=10_000), Rule(rate=10_000, delay=5.0), Rule(delay=5.0)])
async def test_throttling_and_delay_take_their_time(rule: Rule, target: Target) -> None:
    loop = asyncio.get_running_loop()
    async with Censor(target.port, rules=[rule]) as censor:
        begun = loop.time()
        assert await length(censor) == len(BODY)
        expected = rule.delay + (len(BODY) / rule.rate if rule.rate else 0)
        assert loop.time() - begun == pytest.approx(expected, abs=0.1)


@pytest.mark.both_loops
async def test_a_target_that_breaks_the_connection_breaks_it_for_the_client(target: Target) -> None:
    async with Censor(target.port) as censor:
        target.resets = True
        reader, writer = await connect(censor)
        await reader.readexactly(len(BODY))
        writer.write_eof()
        assert await take(reader) == (b"", False)
        writer.close()


@pytest.mark.both_loops
async def test_a_target_that_is_not_there_resets_the_client(unused_tcp_port: int) -> None:
    async with Censor(unused_tcp_port) as censor:
        reader, writer = await connect(censor)
        assert await take(reader) == (b"", False)
        writer.close()


@pytest.mark.both_loops
async def test_dropping_resets_what_is_there_and_nothing_later(target: Target) -> None:
    async with Censor(target.port, rules=[PASS, Rule(STALL, down=3)]) as censor:
        present = [await connect(censor) for _ in range(2)]
        await present[0][0].readexactly(len(BODY))
        await present[1][0].readexactly(3)
        await censor.drop()
        for reader, writer in present:
            assert await take(reader) == (b"", False)
            writer.close()
        assert all(passage.ended.is_set() for passage in censor.connections)
        assert await length(censor) == len(BODY)


@pytest.mark.both_loops
async def test_nothing_is_left_behind(target: Target) -> None:
    before = asyncio.all_tasks()
    rules = [PASS, Rule(STALL, down=3), Rule(STALL, down=0), Rule(delay=NEVER), Rule(rate=1)]
    ends: list[Callable[[], None]] = []
    async with Censor(target.port, rules=rules) as censor:
        for _ in range(len(rules) + 2):  # the last ones may not even have been accepted
            _, writer = await connect(censor)
            ends.append(writer.close)
    assert all(passage.ended.is_set() for passage in censor.connections)
    ours = {task for task in asyncio.all_tasks() - before if "Target" not in repr(task.get_coro())}
    assert ours == set()
    for close in ends:
        close()
    async with Censor(target.port, port=censor.port) as again:  # the port is free
        assert again.port == censor.port


# ---- measures on sockets ----------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_one_side_alone_is_reset(target: Target) -> None:
    async with Censor(target.port, rules=[Rule(RESET_CLIENT, down=5), Rule(RESET_TARGET, up=5)]) as censor:
        reader, writer = await connect(censor)
        assert await take(reader) == (BODY[:5], False)
        writer.close()
        assert not censor.connections[0].ended.is_set()  # the target does not know
        reader, writer = await connect(censor)
        assert await reader.readexactly(len(BODY)) == BODY
        writer.write(b"abcdef")
        await censor.connections[1].struck.wait()
        await target.broken.wait()
        assert not censor.connections[1].ended.is_set()  # the client does not know
        writer.close()
        await censor.connections[1].ended.wait()


@pytest.mark.virtual_time
async def test_blocked_on_sockets_is_reset_or_silent(target: Target) -> None:
    async with Censor(target.port, rules=[Block(REFUSED), Block(DROPPED)]) as censor:
        reader, writer = await connect(censor)
        assert await take(reader) == (b"", False)
        writer.close()
        reader, writer = await connect(censor)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(NEVER):
                await reader.read(1)
        writer.close()
    assert target.heard == []


@pytest.mark.virtual_time
async def test_times_are_kept_on_sockets(target: Target) -> None:
    loop = asyncio.get_running_loop()
    rules = [Lag(2.0), TimeLimit(60.0), Raid(300.0)]
    async with Censor(target.port, rules=rules, epoch=loop.time() - 100.0) as censor:
        begun = loop.time()
        assert await length(censor) == len(BODY)
        assert loop.time() - begun == pytest.approx(4.0, abs=0.1)  # our end has to get there first
        for passed in (60.0, 300.0 - 100.0 - 4.0 - 60.0):
            begun = loop.time()
            reader, writer = await connect(censor)
            assert await take(reader) == (BODY, False)
            assert loop.time() - begun == pytest.approx(passed, abs=0.1)
            writer.close()


@pytest.mark.both_loops
async def test_what_passes_is_changed_and_added_to(target: Target) -> None:
    rules = [Inject(b"!!", seen=Way.DOWN, after=100), Corrupt(Way.DOWN, at=[7]), Inject(b"!!", to=Way.UP)]
    async with Censor(target.port, rules=rules) as censor:
        taken = []
        for _ in rules:
            reader, writer = await connect(censor)
            writer.write(b"hello")
            writer.write_eof()
            taken.append((await take(reader))[0])
            writer.close()
    assert taken[0] == BODY[:100] + b"!!" + BODY[100:]
    assert [place for place in range(len(BODY)) if taken[1][place] != BODY[place]] == [7]
    assert taken[2] == BODY
    assert target.heard == [b"hello", b"hello", b"!!hello"]


async def test_censors_may_share_what_they_know(target: Target) -> None:
    measure = Residual(Rule(RESET, down=5), 180.0)
    async with Censor(target.port, rules=measure) as one:
        assert await length(one) == 5
        async with Censor(target.port, rules=measure, host="127.0.0.2", port=one.port) as other:
            assert await length(other) == 5  # another address
    assert set(measure.blocked.places) == {(one.host, one.port), (other.host, other.port)}
    async with Censor(target.port, rules=measure, port=one.port) as again:
        _, writer = await connect(again)
        assert not (await again.connection()).inspection.opening.made
        writer.close()
