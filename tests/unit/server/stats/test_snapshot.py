import msgspec

from headrace.server.stats.snapshot import Clients, Histogram, Snapshot, client_key, read_clients


def test_a_key_says_who_is_counted() -> None:
    key = client_key("OSSH", "DE", "3320")
    assert read_clients(key) == Clients("OSSH", "DE", "3320")


def test_workers_add_up() -> None:
    one = Snapshot(
        workers=1,
        accepting=1,
        tunnels={"OSSH/DE/1": 2},
        resident_bytes=100,
        loop_lag=0.5,
        files={"TrafficRulesFilename": 20.0, "OSLConfigFilename": 7.0},
        counts={"tunnel.OSSH": 3},
        handshake_seconds=Histogram(groups=[1] + [0] * 9, seconds=0.01),
    )
    other = Snapshot(
        workers=1,
        tunnels={"OSSH/DE/1": 1, "SSH/FR/2": 4},
        resident_bytes=50,
        loop_lag=0.25,
        files={"TrafficRulesFilename": 10.0},
        counts={"tunnel.OSSH": 1, "tunnel.SSH": 9},
        handshake_seconds=Histogram(groups=[1] + [0] * 8 + [1], seconds=40.0),
    )
    assert one + other == Snapshot(
        workers=2,
        accepting=1,
        tunnels={"OSSH/DE/1": 3, "SSH/FR/2": 4},
        resident_bytes=150,
        loop_lag=0.5,
        files={"TrafficRulesFilename": 10.0, "OSLConfigFilename": 7.0},
        counts={"tunnel.OSSH": 4, "tunnel.SSH": 9},
        handshake_seconds=Histogram(groups=[2] + [0] * 8 + [1], seconds=40.01),
    )
    assert one + other == other + one
    assert (one + other).established == 7


def test_adding_changes_neither() -> None:
    one, other = Snapshot(counts={"a": 1}), Snapshot(counts={"a": 2})
    one.handshake_seconds.observe(1.0)
    total = one + other
    total.handshake_seconds.observe(1.0)
    assert (one.counts, other.counts, sum(one.handshake_seconds.groups)) == ({"a": 1}, {"a": 2}, 1)


def test_of_a_lost_worker_what_it_had_counted_stays() -> None:
    lost = Snapshot(workers=1, tunnels={"OSSH/DE/1": 2}, resident_bytes=9, counts={"tunnel.OSSH": 3})
    assert lost.past == Snapshot(counts={"tunnel.OSSH": 3})


def test_it_crosses_as_json() -> None:
    snapshot = Snapshot(workers=1, tunnels={"OSSH/None/None": 1}, counts={"stranger.no preamble": 2})
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


def test_durations_fall_into_groups() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.05, 0.06, 31.0):
        histogram.observe(seconds)
    assert histogram.groups == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert histogram.seconds == 31.11
