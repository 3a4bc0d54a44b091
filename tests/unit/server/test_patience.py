"""How long a server waits: a limit of its own after a reference, and a little more for each connection."""

from collections import Counter
from pathlib import Path

import pytest
from scipy import stats

from headrace.base.rng import SeededRng
from headrace.documents.server_config import read_server_config
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.server.patience import JITTER, REFERENCE, Patience, limit_of
from headrace.server.shared import Shared
from headrace.testing.peers import host_key

SERVERS = 200


def keys(count: int, seed: int = 1) -> list[bytes]:
    """Return keywords as servers have them."""
    rng = SeededRng(seed)
    return [rng.bytes(32).hex().encode() for _ in range(count)]


def reference(count: int, seed: int = 2) -> list[float]:
    """Return the limits of that many servers of the reference."""
    rng = SeededRng(seed)
    bounds = list(REFERENCE.items())

    def one() -> float:
        point = rng.uniform()
        for limit, share in bounds:
            point -= share
            if point < 0:
                return limit
        return bounds[-1][0]

    return [one() for _ in range(count)]


def closes(limits: list[float], seed: int) -> list[float]:
    rng = SeededRng(seed)
    return [Patience(limit).draw(rng) for limit in limits]


def load(directory: Path, **settings: object) -> Shared:
    config = read_server_config((directory / CONFIG_FILE).read_bytes(), overrides=settings)
    return Shared.load(config, directory, lambda seed: False)


def test_the_reference_is_whole() -> None:
    assert sum(REFERENCE.values()) == pytest.approx(1)


def test_two_hundred_servers_are_spread_like_the_reference() -> None:
    ours = [limit_of(key) for key in keys(SERVERS)]
    counts = Counter(ours)
    expected = [share * SERVERS for share in REFERENCE.values()]
    assert stats.chisquare([counts[limit] for limit in REFERENCE], expected).pvalue > 0.01
    # what a prober sees of each is one close time
    assert stats.ks_2samp(closes(ours, 3), closes(reference(SERVERS), 4)).pvalue > 0.01


def test_control_one_limit_for_all_is_told_from_the_reference() -> None:
    same = closes([30.0] * SERVERS, 3)
    assert stats.ks_2samp(same, closes(reference(SERVERS), 4)).pvalue < 1e-6


def test_a_servers_limit_is_its_own_after_a_restart_and_in_every_worker(tmp_path: Path) -> None:
    generated = generate_server(ip="192.0.2.1", protocols={"OSSH": 4001}, host_key=host_key())
    generated.write(tmp_path)
    limits = {load(tmp_path).patience.limit for _ in range(3)}
    assert limits == {limit_of(load(tmp_path).keyword)}


def test_an_operator_may_set_another(tmp_path: Path) -> None:
    generated = generate_server(ip="192.0.2.1", protocols={"OSSH": 4001}, host_key=host_key())
    generated.write(tmp_path)
    assert load(tmp_path, SSHHandshakeTimeoutMilliseconds=45_000).patience.limit == 45


@pytest.mark.parametrize("limit", [0.3, *REFERENCE])
def test_a_connection_gets_its_limit_and_up_to_a_sixtieth_more(limit: float) -> None:
    rng = SeededRng(5)
    drawn = [Patience(limit).draw(rng) for _ in range(2000)]
    extra = [seconds / limit - 1 for seconds in drawn]
    assert all(-1e-12 < part < JITTER for part in extra)
    assert stats.kstest(extra, stats.uniform(0, JITTER).cdf).pvalue > 0.01


def test_how_long_we_read_on_is_no_constant_either() -> None:
    rng = SeededRng(6)
    drawn = [Patience(60.0).grace(rng) for _ in range(1000)]
    assert 5 <= min(drawn) < 5.1
    assert 14.9 < max(drawn) <= 15
