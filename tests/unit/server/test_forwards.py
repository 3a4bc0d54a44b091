"""Port forwards as a client meets them: where they may lead, how many there may be, how they end."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.geoip_database import write_database
from tests.memory_network import HANGS, Destination, MemoryServer, Network, make_tunnel, settle

from headrace.base.errors import DocumentError, NetworkError, Unreachable
from headrace.client.tunnel import Tunnel
from headrace.net.race import STAGGER
from headrace.net.resolve import TIMEOUT, Answer, Resolver
from headrace.server.forwards import DIAL_TIMEOUT, MAX_ADDRESSES
from headrace.server.worker import SWEEP
from headrace.ssh import numbers
from headrace.ssh.forwarding import DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

PROHIBITED = ("refused", numbers.ADMINISTRATIVELY_PROHIBITED, "forbidden")
FAILED = ("refused", numbers.CONNECT_FAILED, "failed")
LATE = ("refused", numbers.CONNECT_FAILED, "timed out")
NO_SUCH_NAME = ("refused", numbers.CONNECT_FAILED, "name not found")
SPLIT = ("refused", numbers.SPLIT_TUNNEL, "")
OPENED = ("opened",)
CLIENT_ADDRESS = "192.0.2.1"  # by which every server in memory sees its clients


class Rig:
    """A client with a tunnel to a server with these rules and names."""

    def __init__(self, network: Network, directory: Path, **settings: Any) -> None:
        self.network = network
        self.server = MemoryServer(network, directory, **settings)
        self.tunnel: Tunnel

    async def start(self, **settings: Any) -> "Rig":
        self.tunnel = make_tunnel(self.server.entry, **settings)
        await self.tunnel.connect()
        await self.tunnel.handshake()
        return self

    def ask(self, host: str, port: int = 80, kind: bytes = DIRECT_TCPIP) -> RecordingEndpoint:
        endpoint = RecordingEndpoint()
        self.tunnel.open_channel(kind, Target(host, port).encode(), endpoint)
        return endpoint

    async def open(self, host: str, port: int = 80, kind: bytes = DIRECT_TCPIP) -> RecordingEndpoint:
        endpoint = self.ask(host, port, kind)
        await settle()
        return endpoint

    @property
    def dialled(self) -> list[tuple[str, int]]:
        """Where the server connected to."""
        return self.network.dialled[1:]

    @property
    def count(self) -> int:
        """Port forwards the server counts as open."""
        (session,) = self.server.sessions
        assert session.tunnel is not None
        return session.tunnel.forwards.count


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


def now() -> float:
    return asyncio.get_running_loop().time()


# ---- where they may lead ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
async def test_a_name_that_leads_to_the_servers_own_side_is_never_dialled(
    network: Network, tmp_path: Path, address: str
) -> None:
    """A public name with a private address: the usual attempt at rebinding."""
    rig = await Rig(network, tmp_path, names={"rebind.example": [address]}).start()
    network.places[address, 80] = Destination
    assert (await rig.open("rebind.example")).events == [PROHIBITED]
    assert (await rig.open(address)).events == [PROHIBITED]
    assert rig.dialled == []


@pytest.mark.parametrize(
    "host", ["localhost", "0x7f000001", "127.1", "2130706433", "0177.0.0.1", "[::1]", "a b"]
)
async def test_what_is_neither_an_address_nor_a_known_name_is_never_dialled(
    network: Network, tmp_path: Path, host: str
) -> None:
    rig = await Rig(network, tmp_path).start()
    network.places[host, 80] = Destination
    assert (await rig.open(host)).events == [NO_SUCH_NAME]
    assert rig.dialled == []


async def test_the_servers_own_address_is_not_for_its_clients(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, address="8.8.4.4", names={"me.example": ["8.8.4.4"]}).start()
    assert (await rig.open("me.example", 4001)).events == [PROHIBITED]
    assert rig.dialled == []


async def test_of_mixed_addresses_only_the_permitted_ones_are_dialled(
    network: Network, tmp_path: Path
) -> None:
    addresses = ["127.0.0.1", "10.0.0.1", "8.8.8.8", "::1"]
    rig = await Rig(network, tmp_path, names={"mixed.example": addresses}).start()
    for address in addresses:
        network.places[address, 80] = Destination
    assert (await rig.open("mixed.example")).events == [OPENED]
    assert rig.dialled == [("8.8.8.8", 80)]


async def test_the_address_that_was_checked_is_the_one_dialled(network: Network, tmp_path: Path) -> None:
    """A name server that says something else the second time: it must not be asked a second time."""
    asked: list[str] = []

    class Changing:
        async def query(self, name: str) -> Sequence[Answer]:
            asked.append(name)
            return [("8.8.8.8" if len(asked) == 1 else "127.0.0.1", 0)]

        async def close(self) -> None:
            """Nothing is held."""

    rig = Rig(network, tmp_path)
    rig.server.worker.resolver = Resolver(backend=Changing)
    await rig.start()
    network.places["8.8.8.8", 80] = network.places["127.0.0.1", 80] = Destination
    assert (await rig.open("changing.example")).events == [OPENED]
    assert rig.dialled == [("8.8.8.8", 80)]
    assert asked == ["changing.example"]


async def test_bogons_are_allowed_only_where_the_configuration_says_so(
    network: Network, tmp_path: Path
) -> None:
    rig = await Rig(network, tmp_path, AllowBogons=True).start()
    network.places["127.0.0.1", 80] = Destination
    assert (await rig.open("127.0.0.1")).events == [OPENED]


async def test_a_name_that_does_not_exist(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path).start()
    assert (await rig.open("missing.example")).events == [NO_SUCH_NAME]


@pytest.mark.parametrize(
    ("rules", "allowed", "refused"),
    [
        ({"AllowTCPPorts": [80, [8000, 8010]]}, [80, 8000, 8010], [81, 443, 7999, 8011]),
        ({"DisallowTCPPorts": [25, [6660, 6669]]}, [24, 80, 6670], [25, 6660, 6669]),
        ({"DisallowSubnets": ["8.8.0.0/16"]}, [], [80, 443]),
        ({"AllowTCPPorts": [80], "AllowSubnets": ["8.8.8.0/24"]}, [80, 443], []),
    ],
    ids=["allowed", "disallowed", "subnets", "exempt"],
)
async def test_traffic_rules_on_ports_and_networks(
    network: Network, tmp_path: Path, rules: dict[str, object], allowed: list[int], refused: list[int]
) -> None:
    rig = await Rig(network, tmp_path, rules=rules, names={"name.example": ["8.8.8.8"]}).start()
    for port in allowed + refused:
        network.places["8.8.8.8", port] = Destination
        for host in ("8.8.8.8", "name.example"):
            expected = OPENED if port in allowed else PROHIBITED
            assert (await rig.open(host, port)).events == [expected], (host, port)
    assert {port for _, port in rig.dialled} == set(allowed)


# ---- block lists ------------------------------------------------------------------------------------------

LISTED = "8.8.8.8,feed,botnet\nmalware.example,feed,phishing\n"


async def listed(network: Network, directory: Path, *, active: bool, **settings: Any) -> Rig:
    """Return a client of a server with a block list, and two names that lead to what is on it or not."""
    (directory / "list.csv").write_text(LISTED)
    for address in ("8.8.8.8", "8.8.4.4"):
        network.places[address, 80] = Destination
    names = {
        "malware.example": ["8.8.4.4"],
        "other.example": ["8.8.8.8"],
        "mixed.example": ["8.8.8.8", "8.8.4.4"],
    }
    files = {"BlocklistFilename": "list.csv", "EventLogFilename": "events"}
    rig = Rig(network, directory, BlocklistActive=active, names=names, **files, **settings)
    return await rig.start()


async def test_what_is_on_the_block_list_is_not_dialled(network: Network, tmp_path: Path) -> None:
    rig = await listed(network, tmp_path, active=True)
    for host in ("malware.example", "other.example", "8.8.8.8", "::ffff:8.8.8.8", "MALWARE.example."):
        assert (await rig.open(host)).events == [PROHIBITED]
    assert rig.dialled == []
    assert (await rig.open("mixed.example")).events == [OPENED]
    assert rig.dialled == [("8.8.4.4", 80)]
    counts = rig.server.worker.counts
    assert (counts["blocklist.feed/botnet"], counts["blocklist.feed/phishing"]) == (4, 2)
    assert counts["alert.unsafe-traffic"] == 2  # one for each subject


async def test_a_hit_is_told_without_the_destination(network: Network, tmp_path: Path) -> None:
    rig = await listed(network, tmp_path, active=False)
    assert (await rig.open("malware.example")).events == [OPENED]
    assert (await rig.open("8.8.8.8")).events == [OPENED]
    assert rig.server.worker.counts["alert.unsafe-traffic"] == 0
    lines = (tmp_path / "events").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["event_name"] == "server_blocklist_hit"]
    assert [event["blocklist_subject"] for event in events] == ["phishing", "botnet"]
    assert {event["blocklist_source"] for event in events} == {"feed"}
    assert {event["sponsor_id"] for event in events} == {"F" * 16}
    assert all("8.8." not in line and "malware" not in line for line in lines)


async def test_a_new_block_list_counts_for_tunnels_there_are(network: Network, tmp_path: Path) -> None:
    rig = await listed(network, tmp_path, active=True)
    worker = rig.server.worker
    (tmp_path / "list.csv").write_text("8.8.4.4,feed,botnet\n")
    assert (await rig.open("8.8.8.8")).events == [PROHIBITED]
    worker.reload(worker.shared.reloaded(tmp_path))
    assert (await rig.open("8.8.8.8")).events == [OPENED]
    assert (await rig.open("malware.example")).events == [PROHIBITED]  # for its address
    (tmp_path / "list.csv").write_text("8.8.4.4,feed\n")
    with pytest.raises(DocumentError, match=r"list\.csv: line 1: write three fields"):
        worker.shared.reloaded(tmp_path)
    assert (await rig.open("8.8.4.4")).events == [PROHIBITED]


async def test_rules_by_the_network_of_a_destination(network: Network, tmp_path: Path) -> None:
    database = write_database(tmp_path / "asn.mmdb", {"8.8.0.0/16": {"autonomous_system_number": 7}})
    settings = {"GeoIPDatabaseFilenames": [str(database)], "rules": {"DisallowASNs": ["7"]}}
    rig = await Rig(network, tmp_path, **settings).start()
    network.places[ABROAD, 80] = Destination
    assert (await rig.open("8.8.8.8")).events == [PROHIBITED]
    assert (await rig.open(ABROAD)).events == [OPENED]
    assert rig.server.worker.counts["refused.tcp_disallowed"] == 1


# ---- what the client is to dial itself --------------------------------------------------------------------

COUNTRIES = {"8.8.8.0/24": "DE", "8.8.4.0/24": "FR", "2001:4860::/32": "DE", "127.0.0.0/8": "DE"}
ABROAD = "9.9.9.9"


async def split(network: Network, directory: Path, wanted: dict[str, object], **settings: Any) -> Rig:
    """Return a client that asks for split tunnelling, and is seen in a country itself."""
    database = write_database(directory / "geoip.mmdb", {**COUNTRIES, CLIENT_ADDRESS: "DE"})
    return await Rig(network, directory, GeoIPDatabaseFilenames=[str(database)], **settings).start(**wanted)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [OPENED, OPENED]),
        ({"SplitTunnelOwnRegion": True}, [SPLIT, OPENED]),
        ({"SplitTunnelRegions": ["FR", "IT"]}, [OPENED, SPLIT]),
        ({"SplitTunnelRegions": ["FR"], "SplitTunnelOwnRegion": True}, [SPLIT, SPLIT]),
    ],
    ids=["none", "own", "listed", "both"],
)
async def test_destinations_in_certain_countries_are_the_clients(
    network: Network, tmp_path: Path, wanted: dict[str, object], expected: list[tuple[object, ...]]
) -> None:
    names = {"german.example": ["8.8.8.8", ABROAD], "french.example": ["8.8.4.4", ABROAD]}
    rig = await split(network, tmp_path, wanted, names=names)
    for address in ("8.8.8.8", "8.8.4.4", ABROAD):
        network.places[address, 80] = Destination
    for hosts in (("8.8.8.8", "8.8.4.4"), ("german.example", "french.example")):
        assert [event for host in hosts for event in (await rig.open(host)).events] == expected
    assert (await rig.open(ABROAD)).events == [OPENED]
    own = await rig.open("german.example", kind=DIRECT_TCPIP_UNSPLIT)  # a request of the client's own
    assert own.events == [OPENED]


async def test_whoever_is_nowhere_has_no_own_country(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path).start(SplitTunnelOwnRegion=True)
    network.places["8.8.8.8", 80] = Destination
    assert (await rig.open("8.8.8.8")).events == [OPENED]


async def test_the_address_that_would_be_dialled_decides(network: Network, tmp_path: Path) -> None:
    """Of a name's addresses: those that may not be dialled have no say, those further down have none yet."""
    names = {
        "later.example": [ABROAD, "8.8.8.8"],
        "forbidden.example": ["127.0.0.1", ABROAD],
        "broken.example": ["9.9.9.10", "8.8.8.8"],
    }
    rig = await split(network, tmp_path, {"SplitTunnelOwnRegion": True}, names=names)
    network.places[ABROAD, 80] = Destination
    assert (await rig.open("later.example")).events == [OPENED]
    assert (await rig.open("forbidden.example")).events == [OPENED]
    assert (await rig.open("broken.example")).events == [SPLIT]


async def test_what_no_client_may_reach_is_refused_before_countries_are_asked(
    network: Network, tmp_path: Path
) -> None:
    rig = await split(network, tmp_path, {"SplitTunnelOwnRegion": True})
    assert (await rig.open("127.0.0.1")).events == [PROHIBITED]


async def test_a_block_list_is_for_everything(network: Network, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LISTED)
    blocking = {"BlocklistFilename": "list.csv", "BlocklistActive": True}
    rig = await split(network, tmp_path, {"SplitTunnelOwnRegion": True}, **blocking)
    assert (await rig.open("8.8.8.8")).events == [PROHIBITED]
    assert (await rig.open("8.8.8.9")).events == [SPLIT]


async def test_traffic_rules_are_for_what_is_tunnelled(network: Network, tmp_path: Path) -> None:
    rules = {"AllowTCPPorts": [80]}
    rig = await split(network, tmp_path, {"SplitTunnelOwnRegion": True}, rules=rules)
    assert (await rig.open("8.8.8.8", 8080)).events == [SPLIT]
    assert (await rig.open(ABROAD, 8080)).events == [PROHIBITED]


async def test_a_new_database_counts_for_tunnels_there_are(network: Network, tmp_path: Path) -> None:
    rig = await split(network, tmp_path, {"SplitTunnelOwnRegion": True})
    network.places[ABROAD, 80] = Destination
    assert (await rig.open(ABROAD)).events == [OPENED]
    write_database(tmp_path / "geoip.mmdb", {f"{ABROAD}/32": "DE"})
    worker = rig.server.worker
    worker.reload(worker.shared.reloaded(tmp_path))
    assert (await rig.open(ABROAD)).events == [SPLIT]


# ---- addresses one after the other ------------------------------------------------------------------------


async def test_the_next_address_is_tried_when_one_fails(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, names={"two.example": ["8.8.8.1", "8.8.8.2"]}).start()
    network.places["8.8.8.2", 80] = Destination
    assert (await rig.open("two.example")).events == [OPENED]
    assert rig.dialled == [("8.8.8.1", 80), ("8.8.8.2", 80)]


async def test_the_next_address_is_tried_beside_one_that_does_not_answer(
    network: Network, tmp_path: Path
) -> None:
    rig = await Rig(network, tmp_path, names={"two.example": ["8.8.8.1", "8.8.8.2"]}).start()
    network.places["8.8.8.1", 80] = HANGS
    network.places["8.8.8.2", 80] = Destination
    endpoint = rig.ask("two.example")
    await asyncio.sleep(STAGGER - 0.05)
    assert endpoint.events == []
    await asyncio.sleep(0.1)
    assert endpoint.events == [OPENED]


async def test_families_take_turns_and_the_first_to_answer_is_kept(network: Network, tmp_path: Path) -> None:
    v4, v6 = ["8.8.8.1", "8.8.8.2"], ["2001:4860::1", "2001:4860::2"]
    rig = await Rig(network, tmp_path, names={"both.example": [*v6, *v4]}).start()
    late = Destination()
    network.places[v4[0], 80] = lambda: late
    network.delays[v4[0], 80] = 1
    network.places[v6[0], 80] = Destination
    assert (await rig.open("both.example")).events == []
    await asyncio.sleep(2)
    assert rig.dialled == [(v4[0], 80), (v6[0], 80)]
    assert rig.count == 1
    assert late.tcp is None or late.finished
    assert rig.server.worker.counts["dialed.ipv6"] == 1
    assert rig.server.worker.counts["dial_failed.ipv4"] == 0  # it was given up


async def test_a_family_without_a_route_costs_no_time(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, names={"both.example": ["8.8.8.1", "2001:4860::1"]}).start()
    network.places["8.8.8.1", 80] = Unreachable("no route")
    network.places["2001:4860::1", 80] = Destination
    assert (await rig.open("both.example")).events == [OPENED]
    assert now() < STAGGER
    counts = rig.server.worker.counts
    assert (counts["dial_failed.ipv4"], counts["dialed.ipv6"]) == (1, 1)


async def test_so_many_addresses_are_tried_and_no_more(network: Network, tmp_path: Path) -> None:
    addresses = [f"8.8.8.{number}" for number in range(1, 20)]
    rig = await Rig(network, tmp_path, names={"many.example": addresses}).start()
    assert (await rig.open("many.example")).events == [FAILED]
    assert rig.dialled == [(address, 80) for address in addresses[:MAX_ADDRESSES]]


async def test_where_one_address_failed_and_the_others_are_forbidden_it_failed(
    network: Network, tmp_path: Path
) -> None:
    rig = await Rig(network, tmp_path, names={"mixed.example": ["8.8.8.8", "127.0.0.1"]}).start()
    assert (await rig.open("mixed.example")).events == [FAILED]


async def test_a_dial_has_a_limit_even_where_the_rules_set_none(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, rules={"DialTCPPortForwardTimeoutMilliseconds": 0}).start()
    network.places["8.8.8.8", 80] = HANGS
    endpoint = rig.ask("8.8.8.8")
    await asyncio.sleep(DIAL_TIMEOUT - 0.1)
    assert endpoint.events == []
    await asyncio.sleep(0.2)
    assert endpoint.events == [LATE]


# ---- how many ---------------------------------------------------------------------------------------------


async def test_no_more_dials_at_once_than_allowed_the_others_wait(network: Network, tmp_path: Path) -> None:
    rules = {"MaxTCPDialingPortForwardCount": 2, "DialTCPPortForwardTimeoutMilliseconds": 10_000}
    rig = await Rig(network, tmp_path, rules=rules).start()
    network.places["8.8.8.1", 80] = HANGS
    network.places["8.8.8.2", 80] = Destination
    slow = [await rig.open("8.8.8.1") for _ in range(2)]
    await asyncio.sleep(5)
    waiting = [await rig.open("8.8.8.2") for _ in range(5)]  # open forwards do not count as dialling
    assert [endpoint.events for endpoint in waiting] == [[]] * 5
    assert rig.dialled == [("8.8.8.1", 80)] * 2
    await asyncio.sleep(5.1)
    assert [endpoint.events for endpoint in slow] == [[LATE]] * 2
    assert [endpoint.events for endpoint in waiting] == [[OPENED]] * 5


async def test_waiting_takes_from_the_time_there_is(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, rules={"MaxTCPDialingPortForwardCount": 1}).start()
    network.places["8.8.8.1", 80] = HANGS
    network.places["8.8.8.2", 80] = Destination
    endpoints = [rig.ask("8.8.8.1"), rig.ask("8.8.8.2")]
    await asyncio.sleep(DIAL_TIMEOUT + 0.1)
    assert [endpoint.events for endpoint in endpoints] == [[LATE]] * 2
    assert rig.dialled == [("8.8.8.1", 80)]


async def test_a_lost_tunnel_dials_for_nobody_who_waits(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, rules={"MaxTCPDialingPortForwardCount": 1}).start()
    network.places["8.8.8.1", 80] = HANGS
    for host in ("8.8.8.1", "8.8.8.2"):
        await rig.open(host)
    rig.tunnel.abort()
    await asyncio.sleep(2 * DIAL_TIMEOUT)
    assert rig.dialled == [("8.8.8.1", 80)]


async def test_refused_and_failed_dials_give_their_places_back(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path, rules={"MaxTCPDialingPortForwardCount": 1}).start()
    network.places["8.8.8.2", 80] = Destination
    for host, outcome in (("8.8.8.1", FAILED), ("127.0.0.1", PROHIBITED), ("no.example", NO_SUCH_NAME)) * 3:
        assert (await rig.open(host)).events == [outcome]
    assert (await rig.open("8.8.8.2")).events == [OPENED]


async def test_the_one_idle_longest_makes_room_for_a_new_one(network: Network, tmp_path: Path) -> None:
    rules = {"MaxTCPPortForwardCount": 3, "IdleTCPPortForwardTimeoutMilliseconds": 0}
    rig = await Rig(network, tmp_path, rules=rules, sweeping=True).start()
    network.places["8.8.8.8", 80] = Destination
    first, second, third = [await rig.open("8.8.8.8") for _ in range(3)]
    await asyncio.sleep(2 * SWEEP)
    for busy in (first, third):
        busy.send(b"x")
    await asyncio.sleep(SWEEP)
    fourth = await rig.open("8.8.8.8")
    assert second.events == [OPENED, ("closed", None)]
    assert [endpoint.events for endpoint in (first, third, fourth)] == [[OPENED]] * 3
    assert rig.count == 3
    await rig.server.worker.stop()


async def test_an_idle_forward_is_closed_and_a_busy_one_is_not(network: Network, tmp_path: Path) -> None:
    rules = {"IdleTCPPortForwardTimeoutMilliseconds": 20_000}
    rig = await Rig(network, tmp_path, rules=rules, sweeping=True).start()
    origins = [Destination() for _ in range(3)]
    waiting = iter(origins)
    network.places["8.8.8.8", 80] = lambda: next(waiting)
    idle, talking, listening = [await rig.open("8.8.8.8") for _ in range(3)]
    closed_at = 0.0
    for _ in range(60):
        talking.send(b"up")
        origins[2].send(b"down")
        await asyncio.sleep(1)
        if idle.events[-1] != OPENED and not closed_at:
            closed_at = now()
    assert 20 <= closed_at <= 20 + 2 * SWEEP
    assert origins[0].finished
    assert (talking.events, listening.events) == ([OPENED], [OPENED])
    assert rig.count == 2
    await rig.server.worker.stop()


async def test_what_is_over_is_not_counted(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path).start()
    origins = [Destination() for _ in range(3)]
    waiting = iter(origins)
    network.places["8.8.8.8", 80] = lambda: next(waiting)
    closing, aborted, _ = [await rig.open("8.8.8.8") for _ in range(3)]
    assert rig.count == 3
    assert closing.channel is not None
    closing.channel.close()
    tcp = origins[1].tcp
    assert tcp is not None
    tcp.abort()
    await settle()
    assert rig.count == 1
    assert origins[0].finished
    assert aborted.events[-1][0] == "closed"


async def test_a_destination_that_breaks_off_before_the_forward_is_open_is_not_counted_for_long(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await Rig(network, tmp_path, sweeping=True).start()
    dial = network.dial

    async def dial_and_lose(*arguments: Any) -> Any:
        relay = await dial(*arguments)
        network.wires[-1].abort()  # the destination's end
        await settle()
        return relay

    monkeypatch.setattr("headrace.server.forwards.dial", dial_and_lose)
    network.places["8.8.8.8", 80] = Destination
    endpoint = rig.ask("8.8.8.8")
    await asyncio.sleep(1)
    assert endpoint.events == [OPENED, ("closed", None)]
    await asyncio.sleep(30 + 2 * SWEEP)
    assert rig.count == 0
    await rig.server.worker.stop()


# ---- ends -------------------------------------------------------------------------------------------------


async def test_what_a_destination_says_first_arrives(network: Network, tmp_path: Path) -> None:
    class Greeting(Destination):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.send(b"220 ready\r\n")

    rig = await Rig(network, tmp_path).start()
    network.places["8.8.8.8", 25] = Greeting
    endpoint = await rig.open("8.8.8.8", 25)
    assert endpoint.received == b"220 ready\r\n"


async def test_half_close_passes_both_ways(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path).start()
    origin = Destination()
    network.places["8.8.8.8", 80] = lambda: origin
    endpoint = await rig.open("8.8.8.8")
    assert endpoint.channel is not None
    endpoint.send(b"question")
    endpoint.channel.eof()
    await settle()
    assert (bytes(origin.received), origin.finished) == (b"question", True)
    origin.send(b"answer")
    assert origin.tcp is not None
    origin.tcp.write_eof()
    await settle()
    assert endpoint.received == b"answer"
    assert endpoint.events == [OPENED, ("closed", None)]  # which says that there is no more, too
    assert rig.count == 0


async def test_a_tunnel_lost_while_dialling_leaves_no_connection_behind(
    network: Network, tmp_path: Path
) -> None:
    rig = await Rig(network, tmp_path).start()
    origins = [Destination() for _ in range(2)]
    network.places["8.8.8.1", 80] = lambda: origins[0]
    network.delays["8.8.8.1", 80] = 5
    network.delays["8.8.8.2", 80] = 5  # and is refused then
    rig.ask("8.8.8.1")
    rig.ask("8.8.8.2")
    await settle()
    rig.tunnel.abort()
    await asyncio.sleep(10)
    assert origins[0].finished or origins[0].tcp is None  # never connected, or let go
    assert all(wire.is_closing() for wire in network.wires[::2])  # the ends of those who dialled


async def test_a_worker_that_stops_while_dialling(network: Network, tmp_path: Path) -> None:
    rig = await Rig(network, tmp_path).start()
    network.places["8.8.8.1", 80] = HANGS
    rig.ask("8.8.8.1")
    await settle()
    await rig.server.worker.stop()
    await settle()
    assert network.open == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_lookup_without_an_answer_holds_nobody_else_up(network: Network, tmp_path: Path) -> None:
    class Slow:
        async def query(self, name: str) -> Sequence[Answer]:
            await asyncio.sleep(1000)
            raise NetworkError("too late")

        async def close(self) -> None:
            """Nothing is held."""

    rig = Rig(network, tmp_path)
    rig.server.worker.resolver = Resolver(backend=Slow)
    await rig.start()
    network.places["8.8.8.8", 80] = Destination
    slow = rig.ask("slow.example")
    assert (await rig.open("8.8.8.8")).events == [OPENED]
    await asyncio.sleep(5.1)
    assert slow.events == [LATE]


async def test_a_look_up_takes_from_the_time_there_is(network: Network, tmp_path: Path) -> None:
    class Slow:
        async def query(self, name: str) -> Sequence[Answer]:
            await asyncio.sleep(2)
            return [("8.8.8.8", 60)]

        async def close(self) -> None:
            """Nothing is held."""

    rig = Rig(network, tmp_path, rules={"DialTCPPortForwardTimeoutMilliseconds": 3000})
    rig.server.worker.resolver = Resolver(backend=Slow)
    await rig.start()
    network.places["8.8.8.8", 80] = HANGS
    endpoint = rig.ask("slow.example")
    await asyncio.sleep(2.9)
    assert endpoint.events == []
    await asyncio.sleep(0.2)
    assert endpoint.events == [LATE]


async def test_name_servers_that_are_dead_cost_no_tunnel_and_are_asked_again(
    network: Network, tmp_path: Path
) -> None:
    class Dying:
        dead = True

        async def query(self, name: str) -> Sequence[Answer]:
            if self.dead:
                await asyncio.sleep(1000)
            return [("8.8.8.8", 60)]

        async def close(self) -> None:
            """Nothing is held."""

    servers = Dying()
    rig = Rig(network, tmp_path)
    rig.server.worker.resolver = Resolver(backend=lambda: servers)
    await rig.start()
    network.places["8.8.8.8", 80] = Destination
    steady = await rig.open("8.8.8.8")
    failing = [rig.ask("name.example") for _ in range(20)]
    await asyncio.sleep(TIMEOUT + 0.1)
    assert [endpoint.events for endpoint in failing] == [[LATE]] * 20
    assert steady.events == [OPENED]
    servers.dead = False
    assert (await rig.open("name.example")).events == [OPENED]
    steady.send(b"still there")
    await settle()
    assert steady.events == [OPENED]
