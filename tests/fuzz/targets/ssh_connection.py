"""The connection layer of a logged-in peer, fed any payloads: RemoteProtocolError, or the books balance."""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.channel import Channel
from headrace.ssh.connection import Connection
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.testing.peers import RecordingEndpoint

MOST = 8
OPEN = b"\x5a\x00\x00\x00\x01x\x00\x00\x00\x07\x00\x00\x10\x00\x00\x00\x80\x00"
CONFIRM = b"\x5b\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x10\x00\x00\x00\x80\x00"


def script(*payloads: bytes) -> bytes:
    return b"".join(bytes((len(payload),)) + payload for payload in payloads)


SEEDS = [
    script(
        OPEN, b"\x5e\x00\x00\x00\x02\x00\x00\x00\x03abc", b"\x60\x00\x00\x00\x02", b"\x61\x00\x00\x00\x02"
    ),
    script(CONFIRM, b"\x5d\x00\x00\x00\x00\x00\x00\x10\x00", b"\x5e\x00\x00\x00\x00\x00\x00\x00\x01a"),
    script(b"\x5c\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02no\x00\x00\x00\x00", OPEN, OPEN),
    script(b"\x50\x00\x00\x00\x04name\x01rest", b"\x51reply", b"\x52"),
    script(OPEN, b"\x62\x00\x00\x00\x02\x00\x00\x00\x04exec\x01", b"\x5d\x00\x00\x00\x02\xff\xff\xff\xff"),
]


class Echo(RecordingEndpoint):
    """Sends back what it gets, as far as there is room, and closes when the peer is done."""

    def data(self, view: memoryview) -> None:
        super().data(view)
        assert self.channel is not None
        room = min(self.channel.room, len(view))
        self.channel.send(view[:room])
        if room < len(view):
            self.channel.wait()

    def eof(self) -> None:
        super().eof()
        assert self.channel is not None
        self.channel.eof()


def fuzz(data: bytes) -> None:
    """Payloads, each behind its length in one byte. Two channels and two requests of ours are waiting."""
    transport = Transport(TransportConfig(Role.SERVER, b"SSH-2.0-x"), SeededRng(1), lambda: None)
    accepted: list[Echo] = []

    def accept(channel: Channel, kind: bytes, extra: memoryview) -> None:
        if kind[:1] == b"-":
            channel.refuse(1, "no")
        elif kind[:1] != b"?":
            accepted.append(Echo(channel=channel))
            channel.accept(accepted[-1])

    connection = Connection(transport, accept, lambda name, payload: bytes(payload) if name else None, MOST)
    ours = [Echo() for _ in range(2)]
    for endpoint in ours:
        connection.open(b"x", b"", endpoint)
        connection.request(b"x", b"", lambda reply: None)
    try:
        while data:
            size, payload = data[0], data[1 : 1 + data[0]] or b"\0"
            data = data[1 + size :]
            if payload[0] < 80:
                connection.block(bool(payload[0] & 1))
            else:
                transport.table[payload[0]](memoryview(payload))
            check(connection)
    except RemoteProtocolError:
        pass
    connection.lost(None)
    for endpoint in (*ours, *accepted):
        assert [event[0] for event in endpoint.events].count("closed") <= 1
        assert endpoint.events[-1][0] in ("closed", "refused")


def check(connection: Connection) -> None:
    assert len(connection.channels) <= MOST
    for number, channel in connection.channels.items():
        assert channel.local == number
        assert 0 <= channel._window_out <= 0xFFFFFFFF
        assert channel._window_in >= 0
