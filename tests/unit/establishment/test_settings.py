"""How eagerly servers are dialled: what a configuration says, and what nobody can say."""

from typing import Any

import pytest
from tests.memory_network import client_config

from headrace.establishment.policy import Collect, FirstReady
from headrace.establishment.settings import MOST_TUNNELS, SHORTEST_PAUSE, EstablishmentSettings


def settings(**fields: Any) -> EstablishmentSettings:
    return EstablishmentSettings.from_config(client_config(**fields))


def test_a_configuration_without_a_word_means_the_defaults() -> None:
    assert settings() == EstablishmentSettings()


def test_the_cap_counts_whatever_else_is_said() -> None:
    assert settings(ConnectionWorkerPoolSize=50).workers == 50
    assert settings(ConnectionWorkerPoolSize=50, ConnectionWorkerPoolMaxSize=7).workers == 7
    assert settings(ConnectionWorkerPoolMaxSize=3).workers == 3


def test_the_pool_is_not_endless() -> None:
    assert settings(TunnelPoolSize=4).pool_size == 4
    assert settings(TunnelPoolSize=32).pool_size == MOST_TUNNELS


def test_one_server_is_one_worker_and_one_tunnel() -> None:
    one = settings(TargetServerEntry="00", ConnectionWorkerPoolSize=20, TunnelPoolSize=5)
    assert (one.workers, one.pool_size) == (1, 1)


def test_policies() -> None:
    assert settings(EstablishTunnelServerAffinityGracePeriodMilliseconds=250).policy == FirstReady(0.25)
    assert settings(EstablishTunnelSelectionPolicy="collect").policy == Collect()


@pytest.mark.parametrize("pause", [0, 0.001])
def test_rounds_do_not_follow_one_another_without_a_pause(pause: float) -> None:
    assert settings(EstablishTunnelPausePeriodSeconds=pause).pause == SHORTEST_PAUSE


def test_on_a_slow_network_everything_that_depends_on_it_takes_longer() -> None:
    slow, usual = settings(NetworkLatencyMultiplier=3.0), EstablishmentSettings()
    assert slow.policy.head_start == 3 * usual.policy.head_start
    assert slow.handshake_hold == 3 * usual.handshake_hold
    assert slow.patience == usual.patience  # the tunnel multiplies it, by its own draw as well
    assert (slow.pause, slow.work_time, slow.give_up) == (usual.pause, usual.work_time, usual.give_up)


def test_patience_grows_with_the_rounds_up_to_the_longest_dial() -> None:
    usual = EstablishmentSettings(patience=4.0, connect_timeout=20.0)
    assert [usual.patience_in(number) for number in (0, 1, 4, 9)] == [4.0, 8.0, 20.0, 20.0]
