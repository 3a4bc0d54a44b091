"""What would be switched off, what would be left, and when that is too little."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import channel, host, server

from headrace.base.errors import OperatorError
from headrace.network.model import Status
from headrace.network.strategy.revocation import KEPT, Left, has_tunnel, plan_revocation
from headrace.network.strategy.selector import Selector, parse_selector

EVERY = Selector()
MAIL, WEB = channel("Mail"), channel("Web")
DE, NL = host(), host(region="NL", software="headrace 0.2.0")
API = "ssh-api-requests"


def test_without_names_all_is_switched_off_but_ssh_and_obfuscated_ssh() -> None:
    capabilities = [API, "SSH", "OSSH", "TLS", "shipped-prefixes-1", "UNFRONTED-MEEK", "FRONTED-MEEK-TACTICS"]
    rich, plain = server(MAIL, DE, capabilities=capabilities), server(MAIL, DE)
    (only,) = plan_revocation([rich, plain], EVERY).servers
    assert only.server is rich
    assert only.left == (API, "SSH", "OSSH", "shipped-prefixes-1")
    assert only.lost == ("TLS", "UNFRONTED-MEEK", "FRONTED-MEEK-TACTICS")


def test_named_capabilities_are_switched_off_even_if_they_would_be_kept() -> None:
    one = server(MAIL, DE, capabilities=[API, "OSSH", "TLS"])
    (only,) = plan_revocation([one], EVERY, ["OSSH"]).servers
    assert (only.left, only.lost) == ((API, "TLS"), ("OSSH",))


def test_what_is_left_is_counted_by_region_and_channel() -> None:
    fleet = [
        server(MAIL, DE, capabilities=[API, "TLS"]),  # lost
        server(MAIL, DE, capabilities=[API, "SSH", "TLS"]),  # still of use
        server(WEB, NL, capabilities=[API, "TLS"], status=Status.PAUSED),  # nobody's, but it may come back
        server(WEB, NL, capabilities=[API, "OSSH"]),
        server(WEB, NL, capabilities=[API]),  # never of use
        server(WEB, NL, capabilities=[API, "TLS"], status=Status.GONE),
    ]
    plan = plan_revocation(fleet, EVERY)
    assert plan.regions == {"DE": Left(2, 2, 1), "NL": Left(1, 1, 1)}
    assert plan.channels == {"Mail": Left(2, 2, 1), "Web": Left(1, 1, 1)}
    assert [revoked.server for revoked in plan.servers] == fleet[:3]


def test_only_what_is_selected_changes() -> None:
    fleet = [server(MAIL, on, capabilities=[API, "TLS"]) for on in (DE, NL)]
    plan = plan_revocation(fleet, parse_selector("software=headrace-0.2"))
    assert [revoked.server for revoked in plan.servers] == fleet[1:]
    assert plan.regions == {"DE": Left(1, 0, 1), "NL": Left(1, 1, 0)}


def test_a_channel_or_region_with_too_few_left_is_a_reason_to_refuse() -> None:
    fleet = [server(MAIL, DE, capabilities=["TLS"]), server(MAIL, DE), server(MAIL, NL), server(WEB, NL)]
    plan = plan_revocation(fleet, EVERY)
    plan.check(2, 1)
    assert plan.refusals(2, 1) == []
    assert plan.refusals(3, 2) == [
        "the channel Mail would be left with 2 of 3 servers, below 3",
        "the region DE would be left with 1 of 2 servers, below 2",
    ]
    with pytest.raises(OperatorError, match="the channel Mail would be left with 2 of 3 servers, below 3; "):
        plan.check(3, 2)


def test_who_had_too_few_before_and_loses_none_is_no_reason() -> None:
    fleet = [server(MAIL, DE, capabilities=["SSH", "TLS"]), server(WEB, NL)]
    assert plan_revocation(fleet, EVERY).refusals(5, 5) == []


def test_a_capability_that_no_selected_server_has_is_a_mistake() -> None:
    with pytest.raises(
        OperatorError, match="no selected server has the capability 'TLSS': there are OSSH, SSH"
    ):
        plan_revocation([server(MAIL, DE)], EVERY, ["TLSS"])


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], False),
        ([API, "handshake", "VPN", "FRONTED-MEEK-TACTICS", "FRONTED-MEEK-BROKER", "TAPDANCE"], False),
        (["OSSH"], True),
        (["QUICv1"], True),
        (["FRONTED-MEEK"], True),
        (["UNFRONTED-MEEK-SESSION-TICKET"], True),
        (["INPROXY-WEBRTC-OSSH"], True),
    ],
)
def test_a_server_is_of_use_with_a_tunnel_protocol(capabilities: list[str], expected: bool) -> None:
    assert has_tunnel(capabilities) is expected


CAPABILITIES = st.lists(st.sampled_from([API, "SSH", "OSSH", "TLS", "QUIC", "FRONTED-MEEK"]), unique=True)


@given(
    st.lists(st.tuples(st.sampled_from([MAIL, WEB]), st.sampled_from([DE, NL]), CAPABILITIES), max_size=12)
)
def test_counts_agree_with_the_capabilities_that_are_left(
    fleet: list[tuple[Any, Any, list[str]]],
) -> None:
    servers = [server(of, on, capabilities=each) for of, on, each in fleet]
    plan = plan_revocation(servers, EVERY)
    left = {revoked.server: list(revoked.left) for revoked in plan.servers}
    usable = [each for each in servers if has_tunnel(left.get(each, each.capabilities))]
    for counts in (plan.regions, plan.channels):
        assert sum(each.after for each in counts.values()) == len(usable)
        assert sum(each.affected for each in counts.values()) == len(plan.servers)
    assert all(set(revoked.left) <= KEPT and revoked.lost for revoked in plan.servers)
