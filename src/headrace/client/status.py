"""What there is to say of a running client at one moment, put together from the notices it emits.

connecting ──► connected ◄──► reconnecting
     └──────────────┴──────────────┴──► stopping ──► ended
"""

import enum
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.base.redact import scrub_addresses

__all__ = ["State", "Status", "StatusBoard"]

_MAX_PROBLEM = 500  # characters
_MAX_HOMEPAGES = 20


#: What a clock shows, or a time it takes; more would be no date.
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=2e11)]


class State(enum.Enum):
    """What a client is doing."""

    CONNECTING = "connecting"  #: there was no tunnel yet
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  #: there was one
    STOPPING = "stopping"
    ENDED = "ended"


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A client as it is. Regions are countries of two letters, "" where they are not known."""

    state: State
    since: _Seconds  #: when it came to this state, in seconds since 1970-01-01 UTC
    seconds: _Seconds  #: it has been in this state
    process: int = 0  #: its ID
    tunnels: int = 0
    protocol: str = ""
    server_region: str = ""
    client_region: str = ""
    egress_regions: list[str] = []  #: to choose from
    attempts: int = 0  #: begun since there was no tunnel
    attempt_regions: dict[str, int] = {}  #: the same by the server's region
    sent: int = 0  #: bytes through tunnels, in the whole run
    received: int = 0
    address: str = "127.0.0.1"  #: of the local proxies
    ports: dict[str, int] = {}  #: of the local proxies, under "socks" and "http"
    paths: dict[str, str] = {}  #: of those that are on Unix sockets
    homepages: list[str] = []
    upgrade: str = ""  #: the version that there is, if it is newer
    problem: str = ""  #: what went wrong last, since there was no tunnel or since there is one

    @classmethod
    def from_json(cls, data: bytes) -> "Status":
        """Read what msgspec.json.encode wrote. Raises DocumentError."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DocumentError(f"this is no status of a client: {error}") from error


class StatusBoard:
    """Hears notices, and knows what they come to. `address` is where the local proxies listen."""

    def __init__(self, clock: Clock, *, address: str = "127.0.0.1", process: int = 0) -> None:
        self._clock = clock
        self._address = "127.0.0.1" if address == "0.0.0.0" else address
        self._process = process
        self._watchers: list[Callable[[], None]] = []
        self._tunnels = 0
        self._protocol = self._server_region = self._client_region = self._upgrade = self._problem = ""
        self._egress_regions: list[str] = []
        self._homepages: list[str] = []
        self._ports: dict[str, int] = {}
        self._paths: dict[str, str] = {}
        self._attempts: Counter[str] = Counter()
        self._live: dict[str, tuple[int, int]] = {}  # bytes by diagnostic ID: of the tunnel it has, or had
        self._past = (0, 0)  # bytes of tunnels before those
        self._enter(State.CONNECTING)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called whenever something has changed; returns what ends that."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def hear(self, notice_type: str, data: Mapping[str, object]) -> None:
        """Take note of a notice; to be given to `Notices.listen`."""
        act = _HEARD.get(notice_type)
        if act is not None:
            act(self, data)
            self._changed()

    def stopping(self) -> None:
        """The client was told to stop."""
        if self._state is not State.ENDED:
            self._enter(State.STOPPING)
            self._changed()

    def status(self) -> Status:
        """Return how things stand."""
        return Status(
            state=self._state,
            since=round(self._since, 3),
            seconds=round(self._clock.monotonic() - self._entered, 3),
            process=self._process,
            tunnels=self._tunnels,
            protocol=self._protocol,
            server_region=self._server_region,
            client_region=self._client_region,
            egress_regions=list(self._egress_regions),
            attempts=self._attempts.total(),
            attempt_regions=dict(self._attempts),
            sent=self._past[0] + sum(sent for sent, _ in self._live.values()),
            received=self._past[1] + sum(received for _, received in self._live.values()),
            address=self._address,
            ports=dict(self._ports),
            paths=dict(self._paths),
            homepages=list(self._homepages),
            upgrade=self._upgrade,
            problem=self._problem,
        )

    def _enter(self, state: State) -> None:
        self._state = state
        self._since, self._entered = self._clock.time(), self._clock.monotonic()

    def _changed(self) -> None:
        for changed in list(self._watchers):
            changed()

    # ---- notices --------------------------------------------------------------------------------------

    def _count_tunnels(self, data: Mapping[str, object]) -> None:
        self._tunnels = _number(data, "count")
        if self._tunnels and self._state in (State.CONNECTING, State.RECONNECTING):
            self._problem = ""
            self._enter(State.CONNECTED)
        elif not self._tunnels:
            self._protocol = self._server_region = ""
            self._homepages.clear()
            if self._state is State.CONNECTED:
                self._attempts.clear()
                self._enter(State.RECONNECTING)

    def _begin_attempt(self, data: Mapping[str, object]) -> None:
        self._attempts[_text(data, "region")] += 1

    def _begin_tunnel(self, data: Mapping[str, object]) -> None:
        sent, received = self._live.pop(_text(data, "diagnosticID"), (0, 0))
        self._past = self._past[0] + sent, self._past[1] + received
        self._protocol, self._server_region = _text(data, "protocol"), _text(data, "region")

    def _count_bytes(self, data: Mapping[str, object]) -> None:
        identity = _text(data, "diagnosticID")
        sent, received = self._live.get(identity, (0, 0))
        self._live[identity] = sent + _number(data, "sent"), received + _number(data, "received")

    def _total_bytes(self, data: Mapping[str, object]) -> None:
        self._live[_text(data, "diagnosticID")] = _number(data, "sent"), _number(data, "received")

    def _listen(self, name: str, data: Mapping[str, object]) -> None:
        self._ports[name] = _number(data, "port")

    def _listen_at(self, name: str, data: Mapping[str, object]) -> None:
        self._paths[name] = _text(data, "path")

    def _add_homepage(self, data: Mapping[str, object]) -> None:
        url = _text(data, "url")
        if url not in self._homepages and len(self._homepages) < _MAX_HOMEPAGES:
            self._homepages.append(url)

    def _set_regions(self, data: Mapping[str, object]) -> None:
        regions = data.get("regions")
        self._egress_regions = list(map(str, regions)) if isinstance(regions, list | tuple) else []

    def _set_text(self, attribute: str, field: str, data: Mapping[str, object]) -> None:
        setattr(self, attribute, _text(data, field))

    def _complain(self, problem: str) -> None:
        self._problem = scrub_addresses(" ".join(problem.split()))[:_MAX_PROBLEM]

    def _end(self, data: Mapping[str, object]) -> None:
        self._tunnels = 0
        self._enter(State.ENDED)


_Act = Callable[[StatusBoard, Mapping[str, object]], None]


def _message(board: StatusBoard, data: Mapping[str, object]) -> None:
    board._complain(_text(data, "message"))


def _port_in_use(name: str) -> _Act:
    return lambda board, data: board._complain(
        f"port {data.get('port')} of the local {name} proxy is in use by another program"
    )


_HEARD: Final[Mapping[str, _Act]] = {
    "Tunnels": StatusBoard._count_tunnels,
    "ConnectingServer": StatusBoard._begin_attempt,
    "ConnectedServer": StatusBoard._begin_tunnel,
    "ConnectedServerRegion": lambda board, data: board._set_text("_server_region", "serverRegion", data),
    "ClientRegion": lambda board, data: board._set_text("_client_region", "region", data),
    "ClientUpgradeAvailable": lambda board, data: board._set_text("_upgrade", "version", data),
    "AvailableEgressRegions": StatusBoard._set_regions,
    "Homepage": StatusBoard._add_homepage,
    "BytesTransferred": StatusBoard._count_bytes,
    "TotalBytesTransferred": StatusBoard._total_bytes,
    "ListeningSocksProxyPort": lambda board, data: board._listen("socks", data),
    "ListeningHttpProxyPort": lambda board, data: board._listen("http", data),
    "ListeningSocksProxyUnixPath": lambda board, data: board._listen_at("socks", data),
    "ListeningHttpProxyUnixPath": lambda board, data: board._listen_at("http", data),
    "Warning": _message,
    "Error": _message,
    "InternalError": _message,
    "UpstreamProxyError": _message,
    "SystemProxyError": _message,
    "SocksProxyPortInUse": _port_in_use("SOCKS"),
    "HttpProxyPortInUse": _port_in_use("HTTP"),
    "EstablishTunnelTimeout": lambda board, data: board._complain(
        f"no server could be reached within {_text(data, 'timeout')}"
    ),
    "Exiting": StatusBoard._end,
}
"""What each type of notice does to the board; others do nothing."""


def _text(data: Mapping[str, object], field: str) -> str:
    value = data.get(field)
    return value if isinstance(value, str) else ""


def _number(data: Mapping[str, object], field: str) -> int:
    value = data.get(field)
    return value if isinstance(value, int) else 0
