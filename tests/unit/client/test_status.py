"""What a client's notices come to."""

import io
from collections.abc import Callable

import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.client.notices import Notices
from headrace.client.status import State, Status, StatusBoard


class Clock:
    now = 1000.0

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.now


class Client:
    """Says what a client says."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.clock = Clock()
        self.board = StatusBoard(self.clock, address=address, process=77)

    def __call__(self, notice_type: str, **data: object) -> None:
        self.board.hear(notice_type, data)

    def connect(self, server: str = "abcd", region: str = "NL") -> None:
        self("ConnectingServer", diagnosticID=server, region=region, protocol="OSSH", candidateNumber=1)
        self("ConnectedServer", diagnosticID=server, region=region, protocol="OSSH")
        self("ClientRegion", region="TM")
        self("Homepage", url="https://home.example/")
        self("Tunnels", count=1)
        self("ActiveTunnel", diagnosticID=server, protocol="OSSH")
        self("ConnectedServerRegion", serverRegion=region)

    @property
    def status(self) -> Status:
        return self.board.status()


def test_from_the_beginning_to_a_tunnel() -> None:
    client = Client()
    client("ListeningSocksProxyPort", port=1080)
    client("ListeningHttpProxyPort", port=8080)
    client("Tunnels", count=0)
    client("AvailableEgressRegions", regions=["DE", "NL"])
    client("ConnectingServer", diagnosticID="x", region="DE", protocol="SSH")
    client("ConnectingServer", diagnosticID="y", region="", protocol="SSH")
    client.clock.now += 2.5
    assert client.status == Status(
        state=State.CONNECTING,
        since=1_700_001_000.0,
        seconds=2.5,
        process=77,
        egress_regions=["DE", "NL"],
        attempts=2,
        attempt_regions={"DE": 1, "": 1},
        ports={"socks": 1080, "http": 8080},
    )
    client.connect()
    client.clock.now += 1
    assert client.status == Status(
        state=State.CONNECTED,
        since=1_700_001_002.5,
        seconds=1.0,
        process=77,
        tunnels=1,
        protocol="OSSH",
        server_region="NL",
        client_region="TM",
        egress_regions=["DE", "NL"],
        attempts=3,
        attempt_regions={"DE": 1, "": 1, "NL": 1},
        ports={"socks": 1080, "http": 8080},
        homepages=["https://home.example/"],
    )


def test_proxies_on_unix_sockets() -> None:
    client = Client()
    client("ListeningSocksProxyUnixPath", path="/run/headrace/socks")
    client("ListeningHttpProxyUnixPath", path="@http")
    assert client.status.ports == {}
    assert client.status.paths == {"socks": "/run/headrace/socks", "http": "@http"}


def test_losing_the_tunnel_and_having_another() -> None:
    client = Client()
    client.connect()
    client.clock.now += 60
    client("Tunnels", count=0)
    lost = client.status
    assert (lost.state, lost.seconds, lost.attempts) == (State.RECONNECTING, 0.0, 0)
    assert (lost.server_region, lost.protocol, lost.homepages) == ("", "", [])
    assert lost.client_region == "TM"
    client.connect(region="DE")
    assert client.status.state is State.CONNECTED
    assert client.status.attempt_regions == {"DE": 1}
    assert client.status.homepages == ["https://home.example/"]


def test_several_tunnels() -> None:
    client = Client()
    client.connect()
    client.clock.now += 5
    client("Tunnels", count=2)
    client("Tunnels", count=1)
    assert (client.status.state, client.status.tunnels, client.status.seconds) == (State.CONNECTED, 1, 5.0)


def test_orderly_end() -> None:
    client = Client()
    client.connect()
    states = []
    client.board.watch(lambda: states.append(client.status.state))
    client.board.stopping()
    client("Tunnels", count=0)
    client("Exiting")
    client.board.stopping()
    client("Tunnels", count=1)
    assert states == [State.STOPPING, State.STOPPING, State.ENDED, State.ENDED]


def test_bytes_are_counted_over_the_whole_run() -> None:
    client = Client()
    client.connect("one")
    client("BytesTransferred", diagnosticID="one", sent=10, received=100)
    client("BytesTransferred", diagnosticID="one", sent=5, received=50)
    assert (client.status.sent, client.status.received) == (15, 150)
    client("TotalBytesTransferred", diagnosticID="one", sent=20, received=200)
    assert (client.status.sent, client.status.received) == (20, 200)
    client("Tunnels", count=0)
    client.connect("one")  # the same server again: a tunnel of its own
    client("BytesTransferred", diagnosticID="one", sent=1, received=1)
    client.connect("two")
    client("TotalBytesTransferred", diagnosticID="two", sent=3, received=4)
    assert (client.status.sent, client.status.received) == (24, 205)


@pytest.mark.parametrize(
    ("notice_type", "data", "problem"),
    [
        ("Warning", {"message": "the disk\nis full"}, "the disk is full"),
        ("Error", {"message": "x" * 1000}, "x" * 500),
        ("UpstreamProxyError", {"message": "192.0.2.1:80 refused"}, "[redacted] refused"),
        (
            "SocksProxyPortInUse",
            {"port": 1080},
            "port 1080 of the local SOCKS proxy is in use by another program",
        ),
        (
            "HttpProxyPortInUse",
            {"port": 8080},
            "port 8080 of the local HTTP proxy is in use by another program",
        ),
        ("EstablishTunnelTimeout", {"timeout": "5m0s"}, "no server could be reached within 5m0s"),
    ],
)
def test_the_last_problem_in_plain_words(notice_type: str, data: dict[str, object], problem: str) -> None:
    client = Client()
    client("Warning", message="another")
    client(notice_type, **data)
    assert client.status.problem == problem
    client.connect()
    assert client.status.problem == ""


def test_an_upgrade_is_told() -> None:
    client = Client()
    client("ClientUpgradeAvailable", version="200")
    assert client.status.upgrade == "200"


def test_a_proxy_for_everybody_is_here_too() -> None:
    assert Client("0.0.0.0").status.address == "127.0.0.1"
    assert Client("192.0.2.9").status.address == "192.0.2.9"


def test_home_pages_are_bounded_and_told_once() -> None:
    client = Client()
    for number in range(100):
        client("Homepage", url=f"https://{number % 50}.example/")
    assert len(client.status.homepages) == 20


def test_nonsense_is_no_harm() -> None:
    client = Client()
    client("Tunnels", count="many")
    client("Tunnels")
    client("AvailableEgressRegions", regions=7)
    client("ConnectedServer", diagnosticID=None)
    client("NoSuchNotice", a=1)
    assert client.status.state is State.CONNECTING


def test_watchers_hear_of_changes_until_they_go() -> None:
    client = Client()
    calls: list[State] = []
    end: Callable[[], None] = client.board.watch(lambda: calls.append(client.status.state))
    client("Info", message="nothing that is shown")
    assert calls == []
    client("Tunnels", count=1)
    client.board.stopping()
    assert calls == [State.CONNECTED, State.STOPPING]
    end()
    client("Exiting")
    assert len(calls) == 2


def test_there_and_back() -> None:
    client = Client()
    client.connect()
    assert Status.from_json(msgspec.json.encode(client.status)) == client.status


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"state":"asleep","since":0,"seconds":0}', b"[" * 9999]
)
def test_what_is_no_status(data: bytes) -> None:
    with pytest.raises(DocumentError, match="no status of a client"):
        Status.from_json(data)


def test_it_hears_what_is_not_shown() -> None:
    clock = Clock()
    notices, board = Notices(io.StringIO(), clock), StatusBoard(clock)
    notices.listen(board.hear)
    notices.emit("ConnectingServer", diagnosticID="x", region="DE", protocol="SSH", candidateNumber=1)
    assert board.status().attempt_regions == {"DE": 1}
