"""What a configuration says about the watch over a tunnel."""

import pytest
from tests.memory_network import client_config

from headrace.client.operate_settings import OperateSettings


def test_an_empty_configuration_changes_nothing() -> None:
    assert OperateSettings.from_config(client_config()) == OperateSettings()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("DisablePeriodicSshKeepAlive", True, OperateSettings(periodic=False)),
        ("SSHKeepAlivePeriodicTimeoutMilliseconds", 1500, OperateSettings(keepalive_timeout=1.5)),
        ("SSHKeepAlivePeriodicInactivePeriodMilliseconds", 2500, OperateSettings(keepalive_idle=2.5)),
        ("SSHKeepAliveProbeTimeoutMilliseconds", 3500, OperateSettings(probe_timeout=3.5)),
        ("SSHKeepAliveProbeInactivePeriodMilliseconds", 0, OperateSettings(probe_idle=0.0)),
        ("SSHKeepAliveResetOnFailureProbability", 0.25, OperateSettings(reset_probability=0.25)),
        ("ReplayTargetTunnelDurationSeconds", 4.5, OperateSettings(proven_after=4.5)),
        ("ReplayTargetUpstreamBytes", 5, OperateSettings(proven_sent=5)),
        ("ReplayTargetDownstreamBytes", 6, OperateSettings(proven_received=6)),
    ],
)
def test_a_field_changes_what_it_is_about(field: str, value: object, expected: OperateSettings) -> None:
    assert OperateSettings.from_config(client_config(**{field: value})) == expected


def test_the_range_of_periods_is_as_configured() -> None:
    config = client_config(SSHKeepAlivePeriodMinMilliseconds=1000, SSHKeepAlivePeriodMaxMilliseconds=2500)
    assert OperateSettings.from_config(config) == OperateSettings(keepalive_period=(1.0, 2.5))
