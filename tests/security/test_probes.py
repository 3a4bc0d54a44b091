"""Attack: connect to a suspect and send anything, to see whether it is a server of ours.

Ten thousand probes meet real sessions over transports in memory, on virtual time: not one byte is answered,
and when and how the connection ends depends on nothing the prober did.
"""

import asyncio

import pytest

from headrace.base.rng import SeededRng
from headrace.documents.server_config import read_server_config
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.obfuscation.seed_history import SeedMemory
from headrace.server.generate import Generated, generate_server
from headrace.server.session import Session
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import host_key
from headrace.transports import ClientSide, tunnel_protocol

pytestmark = pytest.mark.virtual_time

TIMEOUT = 30.0
OTHER_PROTOCOLS = [
    b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello",
    bytes.fromhex("16030100f8010000f40303") + bytes(240),
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"EHLO example.com\r\n",
    b"\x05\x01\x00",
    b"\r\n",
    b"\x00",
    b"",
]


@pytest.fixture(scope="module")
def generated() -> Generated:
    return generate_server(ip="127.0.0.1", protocols={"OSSH": 4001}, host_key=host_key("rsa"))


@pytest.fixture
def worker(generated: Generated, tmp_path_factory: pytest.TempPathFactory) -> Worker:
    directory = tmp_path_factory.mktemp("server")
    generated.write(directory, force=True)
    config = read_server_config((directory / "psiphond.config").read_bytes())
    seeds = SeedMemory()
    return Worker(Shared.load(config, directory, lambda seed: seeds.seen(seed, 0.0), rng=SeededRng(3)))


def connect(worker: Worker) -> FakeTcp:
    """Return an accepted connection."""
    return FakeTcp(Session(worker, tunnel_protocol("OSSH")).socket)


def endings(connections: list[FakeTcp]) -> set[tuple[tuple[float, str], ...]]:
    """Return what was done to the connections, and when: once for all that were treated alike."""
    return {tuple((round(time, 6), event) for time, event in tcp.events) for tcp in connections}


async def until_the_end() -> None:
    await asyncio.sleep(TIMEOUT + 60)


async def test_ten_thousand_random_probes_hear_nothing_and_end_alike(worker: Worker) -> None:
    rng = SeededRng(1)
    probes = []
    for number in range(10_000):
        tcp = connect(worker)
        # every length up to 128, then any up to 8 KB; in one piece or in several
        data = rng.bytes(number % 128 + 1 if number < 5000 else rng.between(129, 8192))
        cut = rng.between(0, len(data))
        tcp.arrive(data[:cut])
        tcp.arrive(data[cut:])
        probes.append(tcp)
    await until_the_end()
    assert not any(tcp.written for tcp in probes)
    assert endings(probes) == {((TIMEOUT, "fin"), (TIMEOUT + 10, "close"))}


async def test_other_protocols_hear_nothing_and_end_like_random_bytes(worker: Worker) -> None:
    probes = []
    for data in OTHER_PROTOCOLS:
        tcp = connect(worker)
        tcp.arrive(data)
        probes.append(tcp)
    await until_the_end()
    assert not any(tcp.written for tcp in probes)
    assert endings(probes) == {((TIMEOUT, "fin"), (TIMEOUT + 10, "close"))}


@pytest.mark.parametrize("prefixes", [PrefixSpecs(), default_prefixes()], ids=["bare", "prefixed"])
async def test_truncated_preambles_hear_nothing_and_a_whole_one_is_answered(
    worker: Worker, generated: Generated, prefixes: PrefixSpecs
) -> None:
    whole = preamble(worker, prefixes, seed=5)
    cuts = [*range(0, 64), len(whole) // 2, len(whole) - 1]
    probes = []
    for cut in cuts:
        tcp = connect(worker)
        tcp.arrive(whole[:cut])
        probes.append(tcp)
    control = connect(worker)
    control.arrive(preamble(worker, prefixes, seed=6))
    await until_the_end()
    assert [cut for cut, tcp in zip(cuts, probes, strict=True) if tcp.written] == []
    assert endings(probes) == {((TIMEOUT, "fin"), (TIMEOUT + 10, "close"))}
    assert control.written


async def test_a_replay_and_another_servers_key_are_strangers(worker: Worker) -> None:
    first, replay, foreign = connect(worker), connect(worker), connect(worker)
    whole = preamble(worker, PrefixSpecs(), seed=8)
    first.arrive(whole)
    replay.arrive(whole)
    foreign.arrive(preamble(worker, PrefixSpecs(), seed=9, keyword=b"another server's key"))
    await until_the_end()
    assert first.written
    assert not replay.written
    assert not foreign.written
    assert endings([replay, foreign]) == {((TIMEOUT, "fin"), (TIMEOUT + 10, "close"))}
    assert worker.counts["stranger.replay"] == 1


async def test_garbage_behind_a_good_preamble_ends_in_silence_too(worker: Worker) -> None:
    rng = SeededRng(11)
    for number in range(50):
        tcp = connect(worker)
        tcp.arrive(preamble(worker, PrefixSpecs(), seed=100 + number))
        answered = len(tcp.written)
        tcp.arrive(rng.bytes(rng.between(1, 70_000)))
        assert len(tcp.written) == answered
        assert tcp.events == []


def preamble(worker: Worker, prefixes: PrefixSpecs, seed: int, keyword: bytes = b"") -> bytes:
    """Return the first bytes of a client, none of its SSH."""
    rng = SeededRng(seed)
    side = ClientSide(keyword or worker.shared.keyword, rng, prefixes.draw(4001, rng))
    opening = tunnel_protocol("OSSH").client_layer(side).connected()
    assert opening is not None
    return b"".join(opening.segments)
