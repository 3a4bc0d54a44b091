"""Over which protocols an entry may be dialled, and what the configuration says of choices."""

from dataclasses import fields

import pytest
from tests.memory_network import client_config
from tests.unit.client.dialable import entry

from headrace.documents.port_policy import parse_ports
from headrace.establishment.dial_settings import DialSettings


def test_without_limits_all_that_is_supported_and_known_here() -> None:
    assert DialSettings().protocols(entry(1)) == ["SSH", "OSSH"]
    assert DialSettings().protocols(entry(1, capabilities=["QUIC", "SSH", "TLS"])) == ["SSH"]
    assert not DialSettings().limited


def test_the_first_attempts_may_have_a_limit_of_their_own() -> None:
    settings = DialSettings(
        limit_protocols=("SSH",), initial_limit_protocols=("OSSH",), initial_limit_candidates=3
    )
    assert settings.initial_limit and settings.limited
    assert settings.protocols(entry(1)) == ["SSH"]
    assert settings.protocols(entry(1), initial=True) == ["OSSH"]
    assert not DialSettings(initial_limit_protocols=("OSSH",)).initial_limit


@pytest.mark.parametrize(
    ("ports", "allowed"),
    [
        ({"OSSH": [53]}, ["SSH", "OSSH"]),
        ({"OSSH": [[1, 52], [54, 65535]]}, ["SSH"]),
        ({"All": [22]}, ["SSH"]),
        ({"All": [22], "OSSH": [53, 443]}, ["SSH", "OSSH"]),
        ({"All": [443]}, []),
        ({"SSH": []}, ["OSSH"]),
    ],
)
def test_ports_that_may_be_dialled(ports: dict[str, list[int | list[int]]], allowed: list[str]) -> None:
    limits = {name: parse_ports(items) for name, items in ports.items()}
    settings = DialSettings(limit_ports=limits)
    assert settings.limited
    assert settings.protocols(entry(1)) == allowed


@pytest.mark.parametrize("source", ["EMBEDDED", "REMOTE", "TARGET", "DISCOVERY", "OBFUSCATED", ""])
def test_servers_that_few_know_of_are_hidden_from_upstream_proxies(source: str) -> None:
    hidden = source not in ("EMBEDDED", "REMOTE", "TARGET")
    assert DialSettings(proxied=True).hides_from_proxy(entry(1, localSource=source)) == hidden
    assert not DialSettings().hides_from_proxy(entry(1, localSource=source))
    assert not DialSettings(proxied=True).hides_from_proxy(
        entry(1, localSource=source, allowUpstreamProxy=True)
    )


def test_an_empty_configuration_gives_the_defaults() -> None:
    given, defaults = DialSettings.from_config(client_config()), DialSettings()
    for field in fields(DialSettings):
        assert getattr(given, field.name) == getattr(defaults, field.name), field.name


def test_what_the_configuration_sets() -> None:
    settings = DialSettings.from_config(
        client_config(
            EgressRegion="CH",
            UpstreamProxyURL="socks5://127.0.0.1:1080",
            LimitTunnelProtocols=["OSSH"],
            InitialLimitTunnelProtocols=["SSH"],
            InitialLimitTunnelProtocolsCandidateCount=7,
            LimitTunnelDialPortNumbers={"OSSH": [443, [1000, 2000]]},
            ObfuscatedSSHMinPadding=40,
            ObfuscatedSSHMaxPadding=50,
            NetworkLatencyMultiplierLambda=0.1,
            LivenessTestMinUpstreamBytes=1,
            LivenessTestMaxUpstreamBytes=2,
            LivenessTestMinDownstreamBytes=3,
            LivenessTestMaxDownstreamBytes=4,
            DisableReplay=True,
            ReplayCandidateCount=0,
            ReplayDialParametersTTLSeconds=0,
            ReplayRetainFailedProbability=0,
        )
    )
    assert (settings.region, settings.proxied) == ("CH", True)
    assert settings.limit_protocols == ("OSSH",)
    assert (settings.initial_limit_protocols, settings.initial_limit_candidates) == (("SSH",), 7)
    assert [port in settings.limit_ports["OSSH"] for port in (443, 444, 1500)] == [True, False, True]
    assert (settings.padding, settings.latency_lambda) == ((40, 50), 0.1)
    assert (settings.liveness_up, settings.liveness_down) == ((1, 2), (3, 4))
    assert (settings.disable_replay, settings.replay_candidates) == (True, 0)
    assert (settings.replay_ttl, settings.replay_retain_failed_probability) == (0, 0)
