"""What goes past the tunnel: by the user's list, by a server's word, for how long, and how."""

import asyncio
import io
import json
from typing import Any

import pytest
from tests.memory_network import client_config
from tests.store_contents import SetClock

from headrace.base.errors import ConnectRefused, NetworkError, Unreachable
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.split_tunnel import MAX_REMEMBERED, TTL, SplitTunnel
from headrace.net.streams import ByteStream, SocketStream
from headrace.ssh.forwarding import Destination
from headrace.testing.fake_tcp import FakeTcp

SITE = Destination("site.example", 443)
LIST = ["example.org", "*.example.net", "192.168.0.0/16", "2001:db8::7"]


class Peer(FakeTcp):
    """A connection to a certain address."""

    def __init__(self, protocol: asyncio.BaseProtocol, address: str) -> None:
        self._address = address
        super().__init__(protocol)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self._address, 80) if name == "peername" else default


class Rig:
    """What split tunnelling makes of a configuration."""

    def __init__(self, **settings: Any) -> None:
        self.clock = SetClock()
        self.stream = io.StringIO()
        self.connections: list[tuple[str, int, float]] = []
        self.error: NetworkError = ConnectRefused("Connection refused")
        self.peer: str | None = None  #: where names lead, if anywhere
        self.tcp: Peer
        notices = Notices(self.stream, self.clock, NoticeOptions(diagnostics=True))
        split = SplitTunnel.of(client_config(**settings), notices, self.clock, self.connect)
        assert split is not None
        self.split = split

    async def connect(self, host: str, port: int, timeout: float) -> ByteStream:
        self.connections.append((host, port, timeout))
        if self.peer is None:
            raise self.error
        stream = SocketStream()
        self.tcp = Peer(stream, self.peer)
        return stream

    @property
    def notices(self) -> list[tuple[str, dict[str, object]]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [(line["noticeType"], line["data"]) for line in lines]


@pytest.fixture
def by_region() -> Rig:
    return Rig(SplitTunnelOwnRegion=True)


def test_without_a_configuration_there_is_none() -> None:
    notices = Notices(io.StringIO(), SetClock())
    assert SplitTunnel.of(client_config(), notices, SetClock(), Rig.connect) is None  # type: ignore[arg-type]


# ---- the user's list --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["example.org", "EXAMPLE.ORG.", "www.example.net", "192.168.7.1", "2001:db8:0::7"]
)
def test_what_is_on_the_list_is_never_tunnelled(host: str) -> None:
    assert Rig(SplitTunnelExcludedHosts=LIST).split.bypasses(Destination(host, 80))


@pytest.mark.parametrize("host", ["www.example.org", "example.net", "192.169.0.1", "2001:db8::8", "", "a b"])
def test_whatever_is_not_is(host: str) -> None:
    assert not Rig(SplitTunnelExcludedHosts=LIST).split.bypasses(Destination(host, 80))


def test_the_list_can_be_read() -> None:
    assert Rig(SplitTunnelExcludedHosts=LIST).split.excluded == LIST


# ---- a server's word --------------------------------------------------------------------------------------


def test_it_is_good_for_exactly_what_was_asked(by_region: Rig) -> None:
    assert not by_region.split.bypasses(SITE)
    assert by_region.split.told(SITE)
    assert by_region.split.bypasses(SITE)
    for other in (Destination(SITE.host, 80), Destination("www.site.example", 443)):
        assert not by_region.split.bypasses(other)


def test_it_is_good_for_a_day_whether_the_machine_sleeps_or_not(by_region: Rig) -> None:
    by_region.split.told(SITE)
    by_region.clock.now += TTL - 1
    assert by_region.split.bypasses(SITE)  # using it does not make it last longer
    by_region.clock.now += 1
    assert not by_region.split.bypasses(SITE)
    assert not by_region.split._told


def test_one_that_was_not_asked_gets_nobody_to_leave_the_tunnel() -> None:
    split = Rig(SplitTunnelExcludedHosts=LIST).split
    assert not split.told(SITE)
    assert not split.bypasses(SITE)


def test_there_is_a_bound_to_what_is_remembered_and_the_least_used_goes(by_region: Rig) -> None:
    split = by_region.split
    for port in range(MAX_REMEMBERED):
        split.told(Destination("site.example", port))
    assert split.bypasses(Destination("site.example", 0))
    split.told(SITE)  # known already
    split.told(Destination("another.example", 1))
    assert len(split._told) == MAX_REMEMBERED
    assert split.bypasses(Destination("site.example", 0))
    assert not split.bypasses(Destination("site.example", 1))


def test_on_another_network_it_is_asked_again(by_region: Rig) -> None:
    by_region.split.told(SITE)
    by_region.split.forget()
    assert not by_region.split.bypasses(SITE)


@pytest.mark.parametrize(
    ("settings", "client_region", "regions"),
    [
        ({"SplitTunnelOwnRegion": True}, "DE", ["DE"]),
        ({"SplitTunnelOwnRegion": True}, "None", []),
        ({"SplitTunnelOwnRegion": True}, "", []),
        ({"SplitTunnelRegions": ["FR", "IT", "FR"]}, "DE", ["FR", "IT"]),
        ({"SplitTunnelOwnRegion": True, "SplitTunnelRegions": ["FR", "DE"]}, "DE", ["DE", "FR"]),
    ],
)
def test_countries_that_are_not_tunnelled_to(
    settings: dict[str, object], client_region: str, regions: list[str]
) -> None:
    split = Rig(**settings).split
    assert split.by_region
    assert split.regions(client_region) == regions


# ---- the way past the tunnel ------------------------------------------------------------------------------


async def test_who_is_connected_to_directly_is_told(by_region: Rig) -> None:
    for destination in (SITE, Destination("192.0.2.7", 80), Destination("2001:db8::7", 80)):
        with pytest.raises(ConnectRefused):
            await by_region.split.connect(destination, 7.0)
    assert by_region.connections == [("site.example", 443, 7), ("192.0.2.7", 80, 7), ("2001:db8::7", 80, 7)]
    assert by_region.notices == [
        ("Untunneled", {"address": "site.example:443"}),
        ("Untunneled", {"address": "192.0.2.7:80"}),
        ("Untunneled", {"address": "[2001:db8::7]:80"}),
    ]


@pytest.mark.parametrize(
    "destination", [Destination("site.example", 0), Destination("site.example", 65_536), Destination("", 80)]
)
async def test_nobody_dials_what_cannot_be(by_region: Rig, destination: Destination) -> None:
    with pytest.raises(Unreachable):
        await by_region.split.connect(destination, 7.0)
    assert by_region.connections == []


NEARBY = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.0.1",
    "192.168.1.1",
    "::",
    "::1",
    "::ffff:192.168.1.1",
    "fd00::1",
    "fe80::1",
]


@pytest.mark.parametrize("address", NEARBY)
async def test_a_servers_word_leads_nobody_into_the_users_own_network(by_region: Rig, address: str) -> None:
    by_region.peer = address
    by_region.split.told(SITE)
    with pytest.raises(Unreachable):
        await by_region.split.connect(SITE, 7.0)
    assert by_region.tcp.is_closing()
    assert not by_region.tcp.written


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::7"])
async def test_to_any_other_it_does(by_region: Rig, address: str) -> None:
    by_region.peer = address
    assert (await by_region.split.connect(SITE, 7.0)).quiet
    assert not by_region.tcp.is_closing()


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({"SplitTunnelExcludedHosts": ["printer"]}, "printer"),  # the user's own word
        ({}, "192.168.1.1"),  # who asks for that knows where it is
        ({"UpstreamProxyURL": "http://192.168.1.1:3128"}, "site.example"),  # that is the proxy's address
    ],
)
async def test_there_are_reasons_to_go_there(settings: dict[str, object], host: str) -> None:
    rig = Rig(SplitTunnelOwnRegion=True, **settings)
    rig.peer = "192.168.1.1"
    await rig.split.connect(Destination(host, 80), 7.0)
    assert not rig.tcp.is_closing()
