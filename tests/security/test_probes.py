"""Attack: connect to a suspect and send anything, to see whether it is a server of ours.

Full sets of all classes of probes meet real sessions over transports in memory, on virtual time: no stranger
hears a byte, and when and how the connection ends depends on nothing that was sent.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy import stats

from headrace.base.rng import SeededRng
from headrace.documents.server_config import read_server_config
from headrace.obfuscation.seed_history import SeedMemory
from headrace.resist.probes import Ending, Probe, ProbeResult
from headrace.resist.probes.kinds import FULL, TIMED, Material, probes_of
from headrace.resist.probes.probe import Then
from headrace.resist.probes.recording import Client
from headrace.resist.probes.replays import CELLS, FORGOTTEN, replay_cells
from headrace.resist.probes.verdicts import ALPHA, gave_itself_away, same_times, step_in_times
from headrace.resist.probes.work import forgeries
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.server.patience import JITTER
from headrace.server.session import Session
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import host_key
from headrace.transports import tunnel_protocol

pytestmark = pytest.mark.virtual_time

KEYWORD = "0123456789abcdef" * 4
CLIENT = Client(KEYWORD.encode())
STRANGER = Client(b"another server's key")
LIMIT = 60.0
PACE = 5.0


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker for which everything is drawn alike each time."""
    generate_server(ip="127.0.0.1", protocols={"OSSH": 4001}, host_key=host_key("rsa")).write(tmp_path)
    settings = {"ObfuscatedSSHKey": KEYWORD, "SSHHandshakeTimeoutMilliseconds": round(LIMIT * 1000)}
    config = read_server_config((tmp_path / CONFIG_FILE).read_bytes(), overrides=settings)
    seeds = SeedMemory()
    return Worker(Shared.load(config, tmp_path, lambda seed: seeds.seen(seed, 0.0), rng=SeededRng(3)))


def connect(worker: Worker) -> FakeTcp:
    """Return an accepted connection."""
    return FakeTcp(Session(worker, tunnel_protocol("OSSH")).socket)


async def send(worker: Worker, probe: Probe) -> ProbeResult:
    """Do what a probe does; return what came of it."""
    begun = asyncio.get_running_loop().time()
    tcp = connect(worker)
    for number, piece in enumerate(probe.pieces):
        if number and probe.interval:
            await asyncio.sleep(probe.interval)
        tcp.arrive(piece)
    if probe.then is Then.HALF_CLOSE:
        tcp.finish()
    elif probe.then is Then.RESET:
        tcp.abort()
    await asyncio.sleep(2 * LIMIT)
    assert tcp.lost
    ended, how = tcp.events[0]
    ending = Ending.FIN if how in ("fin", "close") else Ending.NONE
    return ProbeResult(probe, len(tcp.written), ending, ended - begun)


async def send_all(worker: Worker, probes: Sequence[Probe]) -> list[ProbeResult]:
    return list(await asyncio.gather(*(send(worker, probe) for probe in probes)))


async def material(worker: Worker) -> Material:
    """Return what a prober has, of clients that were answered."""
    rng = SeededRng(17)
    recordings = [CLIENT.record(rng, prefixed=prefixed, padding=64) for prefixed in (False, True) * 4]
    for recording in recordings:
        tcp = connect(worker)
        tcp.arrive(recording.data)
        assert tcp.written
    return Material(CLIENT, STRANGER, recordings, PACE)


async def test_no_probe_of_any_class_hears_a_byte_or_sees_another_end_than_others(worker: Worker) -> None:
    prober, rng = await material(worker), SeededRng(1)
    probes = [probe for kind, count in FULL.items() for probe in probes_of(kind, prober, rng, count)]
    results = await send_all(worker, rng.shuffled(probes))
    assert len(results) == sum(FULL.values())
    assert [result for result in results if gave_itself_away(result)] == []
    waited = [result.seconds for result in results if result.kind in TIMED]
    assert LIMIT <= min(waited) < max(waited) <= LIMIT * (1 + JITTER)
    assert same_times(results) > ALPHA
    assert step_in_times(results).p > ALPHA


async def test_who_closes_his_side_learns_nothing_from_when_we_close_ours(worker: Worker) -> None:
    """A key is derived for the longer ones, which takes time; what they wait for is another moment."""
    rng = SeededRng(2)
    sizes = [rng.choice((1, 23, 24, 200)) for _ in range(2000)]
    probes = [Probe("P8", str(size), (rng.bytes(size),), then=Then.HALF_CLOSE) for size in sizes]
    results = await send_all(worker, probes)
    assert {(result.bytes_received, result.ending) for result in results} == {(0, Ending.FIN)}
    short, long = ([r.seconds for r in results if (r.probe.size < 24) is few] for few in (True, False))
    assert max(short + long) < LIMIT * JITTER
    assert stats.ks_2samp(short, long).pvalue > 0.01


@pytest.mark.parametrize("prefixed", [False, True], ids=["bare", "prefixed"])
async def test_truncated_preambles_hear_nothing_and_a_whole_one_is_answered(
    worker: Worker, prefixed: bool
) -> None:
    rng = SeededRng(5)
    whole = CLIENT.record(rng, prefixed=prefixed).data
    cuts = [*range(0, 64), len(whole) // 2, len(whole) - 1]
    results = await send_all(worker, [Probe("P3", str(cut), (whole[:cut],)) for cut in cuts])
    assert [result for result in results if gave_itself_away(result)] == []
    control = connect(worker)
    control.arrive(CLIENT.record(rng, prefixed=prefixed).data)  # whose seed is not known yet
    assert control.written


async def test_a_replay_and_another_servers_key_are_strangers(worker: Worker) -> None:
    rng = SeededRng(8)
    recording = CLIENT.record(rng, prefixed=False)
    first = connect(worker)
    first.arrive(recording.data)
    assert first.written
    probes = [
        Probe("P6", "", (recording.data,)),
        Probe("P7", "", (STRANGER.record(rng, prefixed=False).data,)),
    ]
    results = await send_all(worker, probes)
    assert [result for result in results if gave_itself_away(result)] == []
    assert worker.counts["stranger.replay"] == 1


async def test_garbage_behind_a_good_preamble_is_answered_with_nothing_more(worker: Worker) -> None:
    rng = SeededRng(11)
    connections = []
    for number in range(50):
        tcp = connect(worker)
        tcp.arrive(CLIENT.record(rng, prefixed=bool(number % 2)).data)
        answered = len(tcp.written)
        tcp.arrive(rng.bytes(rng.between(1, 70_000)))
        assert len(tcp.written) == answered
        assert tcp.events == []
        connections.append(tcp)
    await asyncio.sleep(2 * LIMIT)
    assert {tuple(tcp.log) for tcp in connections} == {("fin", "close")}
    assert all(LIMIT <= tcp.events[0][0] <= LIMIT * (1 + JITTER) for tcp in connections)


def test_no_replay_is_accepted_within_the_history_wherever_it_goes(tmp_path: Path) -> None:
    """At once, hours and a day later, after a restart, at another worker, at another server."""
    cells = {cell.name: cell for cell in replay_cells(tmp_path / "seeds", 10, SeededRng(4))}
    assert list(cells) == list(CELLS)
    assert {cell.fresh for cell in cells.values()} == {10}
    assert {name: cell.accepted for name, cell in cells.items() if name != FORGOTTEN and cell.accepted} == {}
    # What the deployed format cannot give. If this fails, the documents say too little in our favour.
    assert cells[FORGOTTEN].accepted == 10


def test_random_bytes_are_never_accepted() -> None:
    assert forgeries(1000, SeededRng(6)) == 0
