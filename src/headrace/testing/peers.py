"""Two SSH machines face to face in memory: no sockets, no loop, every byte in the test's hands."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from headrace.base.rng import SeededRng
from headrace.ssh.algorithms import PLAIN, Offer
from headrace.ssh.auth import ClientAuth, ServerAuth
from headrace.ssh.channel import AFTER, BEFORE, Channel
from headrace.ssh.clear import Veil
from headrace.ssh.connection import Accept, Answer, Connection
from headrace.ssh.host_keys import HostKey
from headrace.ssh.transport import Role, Transport, TransportConfig

__all__ = ["Peer", "RecordingEndpoint", "SshPair", "host_key"]

_KEYS: dict[str, HostKey] = {}


def host_key(kind: str = "ed25519") -> HostKey:
    """Return a throw-away host key of this kind, made once per process."""
    if kind not in _KEYS:
        _KEYS[kind] = HostKey.generate(kind)
    return _KEYS[kind]


@dataclass
class RecordingEndpoint:
    """An endpoint that writes down what happens to it. Without `reading` it lets its window run out."""

    events: list[tuple[object, ...]] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    channel: Channel | None = None

    def opened(self, channel: Channel) -> None:
        self.channel = channel
        self.events.append(("opened",))

    def refused(self, reason: int, text: str) -> None:
        self.events.append(("refused", reason, text))

    def data(self, view: memoryview) -> None:
        self.received += view

    def pause(self) -> None:
        self.events.append(("pause",))

    def writable(self) -> None:
        self.events.append(("writable",))

    def eof(self) -> None:
        self.events.append(("eof",))

    def closed(self, error: Exception | None) -> None:
        self.events.append(("closed", error))

    def send(self, data: bytes) -> None:
        """Send through the in-place path, as a socket would."""
        assert self.channel is not None
        scratch = memoryview(bytearray(BEFORE + len(data) + AFTER))
        scratch[BEFORE : BEFORE + len(data)] = data
        self.channel.send_from(scratch, BEFORE, BEFORE + len(data))


class Peer:
    """One side: a transport, the bytes it has not used yet, and its connection once it is authenticated."""

    def __init__(
        self, config: TransportConfig, seed: int, veil: Veil | None, wake: Callable[[], None]
    ) -> None:
        self.transport = Transport(config, SeededRng(seed), wake, veil)
        self.connection: Connection | None = None
        self.sent = bytearray()  #: everything this side ever wrote
        self.disconnects: list[tuple[int, str]] = []
        self.transport.disconnected = lambda code, text: self.disconnects.append((code, text))
        self._unused = b""

    def take(self) -> bytes:
        """Return what this side wants written."""
        data = b"".join(self.transport.take_output())
        self.sent += data
        return data

    def feed(self, data: bytes) -> None:
        """Hand over what arrived; raises what the machine raises."""
        data = self._unused + data
        used = self.transport.receive(memoryview(data))
        self._unused = data[used:]


class SshPair:
    """A client and a server. `run` moves bytes until both are quiet; `step` is how many at a time.

    `wake` is called when either has something to move.
    """

    def __init__(
        self,
        *,
        client_offer: Offer = PLAIN,
        server_offer: Offer = PLAIN,
        key: HostKey | None = None,
        check: Callable[[str, str], bool] = lambda user, password: (user, password) == ("user", "word"),
        password: str = "word",  # noqa: S107 - a throw-away for tests
        accept: Accept | None = None,
        answer: Answer = lambda name, payload: None,
        veils: tuple[Veil | None, Veil | None] = (None, None),
        rekey_bytes: int = 1 << 30,
        hide_lengths: bool = False,
        seed: int = 1,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        key = key or host_key()
        client = TransportConfig(
            Role.CLIENT,
            b"SSH-2.0-OpenSSH_9.6",
            client_offer,
            expected_host_key=key.blob,
            rekey_bytes=rekey_bytes,
        )
        server = replace(
            client,
            role=Role.SERVER,
            offer=server_offer,
            host_keys=(key,),
            expected_host_key=None,
            hide_lengths=hide_lengths,
        )
        self.client = Peer(client, seed, veils[0], wake)
        self.server = Peer(server, seed + 1, veils[1], wake)
        self.outcome: bool | None = None
        self.accepted: list[tuple[bytes, bytes, RecordingEndpoint]] = []
        self._accept = accept or self._accept_all
        self._answer = answer
        self.client.transport.ready = lambda: self._log_in(password)
        self.server.transport.ready = lambda: self._wait_for_login(check)

    def start(self) -> "SshPair":
        """Let both sides say their first words; return self."""
        self.client.transport.start()
        self.server.transport.start()
        return self

    def run(self, step: int = 1 << 20) -> None:
        """Move bytes to and fro, at most `step` at once, until neither side has any."""
        while True:
            upward, downward = self.client.take(), self.server.take()
            if not upward and not downward:
                return
            for peer, data in ((self.server, upward), (self.client, downward)):
                for start in range(0, len(data), step):
                    peer.feed(data[start : start + step])

    def open(self, kind: bytes = b"direct-tcpip", extra: bytes = b"") -> tuple[RecordingEndpoint, Channel]:
        """Open a channel from the client, and run until it is answered."""
        assert self.client.connection is not None
        endpoint = RecordingEndpoint()
        channel = self.client.connection.open(kind, extra, endpoint)
        self.run()
        return endpoint, channel

    def _log_in(self, password: str) -> None:
        def finished(success: bool) -> None:
            self.outcome = success
            if success:
                self.client.connection = self._connect(self.client)

        ClientAuth(self.client.transport, "user", password, finished)

    def _wait_for_login(self, check: Callable[[str, str], bool]) -> None:
        def succeeded() -> None:
            self.server.connection = self._connect(self.server)

        ServerAuth(self.server.transport, check, succeeded)

    def _connect(self, peer: Peer) -> Connection:
        return Connection(peer.transport, self._accept, self._answer)

    def _accept_all(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        endpoint = RecordingEndpoint(channel=channel)
        self.accepted.append((kind, bytes(extra), endpoint))
        channel.accept(endpoint)
