"""What a client may reach: names, addresses in every form, rules by network, and who is told of a refusal."""

import ipaddress
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dns.message
import pytest
from tests.geoip_database import write_database

from headrace.documents.blocklist import NO_BLOCKLIST, Reason, read_blocklist
from headrace.documents.traffic_rules import ClientTraits, TrafficLimits, read_traffic_rules
from headrace.server.alerts import Alerts
from headrace.server.egress import Egress
from headrace.server.gate import Exits, Gate
from headrace.server.geoip import GeoIP

LISTED = "8.8.8.8,feed,botnet\n2001:4860::8,feed,botnet\nmalware.example,feed,phishing\n"
BLOCKLIST = read_blocklist(LISTED.splitlines(keepends=True))
EGRESS = Egress(allow_bogons=False)


def limits(**rules: object) -> TrafficLimits:
    text = json.dumps({"DefaultRules": rules}).encode()
    return read_traffic_rules(text).limits_for(ClientTraits(tunnel_protocol="OSSH"))


class Rig:
    """A gate, whoever it tells, and what they were told."""

    def __init__(self, exits: Exits, rules: TrafficLimits | None = None) -> None:
        self.hits: list[Reason] = []
        self.sent: list[dict[str, object]] = []
        self.counts: Counter[str] = Counter()
        self.gate = Gate(exits, rules or limits(), self.counts, self.hits.append)
        self.gate.alerts = Alerts(self._request, lambda reason: [], self.counts)

    def _request(self, name: bytes, payload: bytes, reply: Callable[[bytes | None], None]) -> None:
        assert name == b"psiphon-alert"
        self.sent.append(json.loads(payload))


@pytest.mark.parametrize(
    "host", ["malware.example", "MALWARE.example.", "malware.example.", "ma\uff4cware.example"]
)
def test_a_listed_name_in_every_spelling(host: str) -> None:
    rig = Rig(Exits(EGRESS, blocklist=BLOCKLIST, blocking=True))
    assert not rig.gate.name(host)
    assert rig.hits == [Reason("feed", "phishing")]
    assert rig.sent == [{"reason": "unsafe-traffic", "subject": "phishing"}]


@pytest.mark.parametrize("host", ["www.malware.example", "example", "8.8.8.8", "", "a b", "x" * 1000])
def test_names_that_are_not_listed(host: str) -> None:
    rig = Rig(Exits(EGRESS, blocklist=BLOCKLIST, blocking=True))
    assert rig.gate.name(host)
    assert (rig.hits, rig.sent) == ([], [])


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:0::8"])
def test_a_listed_address_in_every_form(address: str) -> None:
    rig = Rig(Exits(EGRESS, blocklist=BLOCKLIST, blocking=True))
    assert rig.gate.address(address) is None
    assert rig.hits == [Reason("feed", "botnet")]
    assert rig.gate.address("8.8.4.4") == ipaddress.ip_address("8.8.4.4")


def test_a_list_that_does_not_block_is_told_of_but_not_to_the_client() -> None:
    rig = Rig(Exits(EGRESS, blocklist=BLOCKLIST))
    assert rig.gate.name("malware.example")
    assert rig.gate.address("8.8.8.8") is not None
    assert len(rig.hits) == 2
    assert rig.sent == []


def test_what_nobody_may_reach_is_no_alert() -> None:
    rig = Rig(Exits(EGRESS))
    for address in ("127.0.0.1", "10.0.0.1", "::1", "64:ff9b::7f00:1", "no address"):
        assert rig.gate.address(address) is None
    assert (rig.sent, rig.counts) == ([], Counter())


@pytest.mark.parametrize(
    ("blocklist", "blocking", "passing"),
    [
        (BLOCKLIST, True, (False, True, False)),
        (BLOCKLIST, False, (True,) * 3),
        (NO_BLOCKLIST, True, (True,) * 3),
    ],
    ids=["blocking", "counting", "none"],
)
def test_dns_messages(blocklist: object, blocking: bool, passing: tuple[bool, ...]) -> None:
    gate = Rig(Exits(EGRESS, blocklist=blocklist, blocking=blocking)).gate  # type: ignore[arg-type]
    listed, other = (dns.message.make_query(name, "A").to_wire() for name in ("Malware.example", "b.example"))
    assert tuple(map(gate.question, (listed, other, b"no message"))) == passing


def test_rules_by_the_network_of_a_destination(tmp_path: Path) -> None:
    networks = {"8.8.0.0/16": {"autonomous_system_number": 7}, "9.9.0.0/16": {"asn": "AS9"}}
    geo_ip = GeoIP.load([write_database(tmp_path / "asn.mmdb", networks)])
    rules = limits(AllowTCPPorts=[443], AllowASNs=["9"], DisallowASNs=["7"])
    gate = Rig(Exits(EGRESS, geo_ip), rules).gate
    seven, nine, other = (ipaddress.ip_address(f"{n}.{n}.{n}.{n}") for n in (8, 9, 1))
    assert not gate.tcp(seven, 443)
    assert gate.tcp(nine, 25)
    assert gate.tcp(other, 443)
    assert not gate.tcp(other, 25)
    assert gate.udp(other, 25)
    assert not gate.udp(seven, 53)
    assert not gate.udp(ipaddress.ip_address("64:ff9b::808:808"), 53)
    gate.exits = Exits(EGRESS)  # without a database nothing is in any network
    assert gate.tcp(seven, 443)
    assert not gate.tcp(nine, 25)


def test_subnets_in_every_form_of_an_address() -> None:
    gate = Rig(Exits(EGRESS), limits(DisallowSubnets=["8.8.8.0/24"])).gate
    for address in ("8.8.8.1", "::ffff:8.8.8.1", "64:ff9b::808:801"):
        assert not gate.tcp(ipaddress.ip_address(address), 80)
    assert gate.tcp(ipaddress.ip_address("2001:4860::1"), 80)


def test_refusals_are_counted_and_told_once() -> None:
    rig = Rig(Exits(EGRESS))
    for _ in range(3):
        rig.gate.refused("tcp")
    rig.gate.refused("udp")
    assert rig.counts == {
        "refused.tcp_disallowed": 3,
        "refused.udp_disallowed": 1,
        "alert.disallowed-traffic": 1,
    }
    assert rig.sent == [{"reason": "disallowed-traffic"}]
