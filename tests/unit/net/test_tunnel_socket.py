"""The tunnel's socket: when it writes, when it stops, and what strangers get."""

import asyncio
from collections.abc import Callable

import h11
import pytest

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.net import tunnel_socket
from headrace.net.relay import Relay
from headrace.net.tunnel_socket import Opening, Refusal, TunnelSocket
from headrace.obfuscation.framing import LAST_CHUNK, Deframer
from headrace.ssh.algorithms import PLAIN
from headrace.ssh.auth import ClientAuth, ServerAuth
from headrace.ssh.channel import Channel
from headrace.ssh.clear import Veil
from headrace.ssh.connection import Connection
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.ssh.wire import Reader, u32
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import RecordingEndpoint, host_key

pytestmark = pytest.mark.virtual_time


class Through:
    """A layer that is through at once, or once it has heard `wanted` bytes."""

    def __init__(self, opening: Opening | None = None, wanted: int = 0, refuse: bool = False) -> None:
        self._opening = opening
        self._wanted = wanted
        self._refuse = refuse

    def connected(self) -> Opening | None:
        return self._opening

    def receive(self, data: bytes) -> Opening | Refusal | None:
        if self._refuse:
            return Refusal("stranger")
        self._wanted -= len(data)
        return Opening(leftover=data) if self._wanted <= 0 else None


class Side:
    """An owner that logs in, or lets in, and keeps what came of it."""

    def __init__(self, role: Role, layer: Through | None = None, admit: bool = True) -> None:
        self.role = role
        self.refusals: list[str] = []
        self.losses: list[Exception | None] = []
        self.admitted = admit
        self.proceed: Callable[[], None] | None = None
        self.connection: Connection | None = None
        self.accepted: list[RecordingEndpoint] = []
        self.sent = b""
        self.socket = TunnelSocket(layer or Through(Opening()), self)
        self.tcp = FakeTcp(self.socket)

    def connected(self) -> None:
        assert self.socket.connected

    def admit(self, proceed: Callable[[], None]) -> bool:
        self.proceed = proceed
        return self.admitted

    def make_transport(self, wake: Callable[[], None], veil: Veil | None) -> Transport:
        config = TransportConfig(
            self.role,
            b"SSH-2.0-OpenSSH_9.6",
            PLAIN,
            host_keys=(host_key(),) if self.role is Role.SERVER else (),
            expected_host_key=host_key().blob if self.role is Role.CLIENT else None,
        )
        self.transport = transport = Transport(config, SeededRng(7), wake, veil)
        transport.ready = self._log_in
        return transport

    def refused(self, reason: str) -> None:
        self.refusals.append(reason)

    def lost(self, error: Exception | None) -> None:
        self.losses.append(error)

    def _log_in(self) -> None:
        if self.role is Role.CLIENT:
            ClientAuth(self.transport, "user", "word", lambda success: self._connect())
        else:
            ServerAuth(self.transport, lambda user, password: True, self._connect)

    def _connect(self) -> None:
        self.connection = Connection(self.transport, self._accept, lambda name, payload: None)
        self.socket.block = self.connection.block

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        endpoint = RecordingEndpoint(channel=channel)
        self.accepted.append(endpoint)
        channel.accept(endpoint)

    def take(self) -> bytes:
        written = bytes(self.tcp.written)
        self.sent += written
        self.tcp.written.clear()
        return written


async def arrive(tcp: FakeTcp, data: bytes) -> None:
    """Have bytes arrive, in as many rounds of the loop as the socket wants to read them in."""
    while data := data[tcp.arrive(data) :]:
        await asyncio.sleep(0)
        if not tcp.reading:
            return


async def settle(client: Side, server: Side) -> None:
    """Move bytes between the two until both are quiet."""
    for _ in range(50):
        await asyncio.sleep(0)
        moved = False
        for one, other in ((client, server), (server, client)):
            data = one.take()
            if data:
                await arrive(other.tcp, data)
                moved = True
        if not moved:
            await asyncio.sleep(0)
            if not client.tcp.written and not server.tcp.written:
                return


async def connected_pair() -> tuple[Side, Side]:
    client, server = Side(Role.CLIENT), Side(Role.SERVER)
    await settle(client, server)
    assert client.connection is not None
    assert server.connection is not None
    return client, server


async def test_small_packets_of_one_round_go_out_together() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    writes: list[int] = []
    original = client.tcp.write

    def write(data: bytes | bytearray | memoryview) -> None:
        writes.append(len(data))
        original(data)

    client.tcp.write = write  # type: ignore[method-assign]
    for _ in range(20):
        client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    assert writes == []
    await settle(client, server)
    assert len(writes) == 1
    assert len(server.accepted) == 20


async def test_bulk_is_written_at_once() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    endpoint = RecordingEndpoint()
    client.connection.open(b"direct-tcpip", b"", endpoint)
    await settle(client, server)
    endpoint.send(bytes(tunnel_socket.FLUSH_AT))
    assert len(client.tcp.written) > tunnel_socket.FLUSH_AT


async def test_many_channels_cannot_pour_their_windows_into_a_stuck_tunnel() -> None:
    """A loop may read many ready sockets before it writes: the mark must hold within one round."""
    client, server = await connected_pair()
    assert client.connection is not None
    locals_: list[FakeTcp] = []
    for _ in range(40):
        relay = Relay()
        endpoint = RecordingEndpoint()
        channel = client.connection.open(b"direct-tcpip", b"", endpoint)
        await settle(client, server)
        channel.endpoint = relay
        locals_.append(FakeTcp(relay))
        relay.attach(channel)
        locals_[-1].arrive(b"x")
    await settle(client, server)
    client.tcp.stuck = True
    for local in locals_:
        local.arrive(bytes(1 << 20))
    assert client.tcp.buffered <= tunnel_socket.HIGH + 256 * 1024
    stopped = sum(not local.reading for local in locals_)
    assert stopped == len(locals_)
    client.tcp.drain()
    await settle(client, server)
    assert all(local.reading for local in locals_)


async def test_a_channel_given_window_while_the_tunnel_is_stuck_goes_on_when_it_drains() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    relay = Relay()
    channel = client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await settle(client, server)
    channel.endpoint = relay
    local = FakeTcp(relay)
    relay.attach(channel)
    far = server.accepted[0].channel
    assert far is not None
    far.hold()
    payload = bytes(range(256)) * 8192
    taken = local.arrive(payload)  # the window runs out
    await settle(client, server)
    assert not local.reading
    client.connection.block(True)
    far.release()
    await settle(client, server)  # the window arrives while the tunnel is blocked
    assert not local.reading
    client.connection.block(False)
    assert local.reading
    while taken < len(payload):
        taken += local.arrive(payload[taken:])
        await settle(client, server)
    assert server.accepted[0].received == payload


async def test_a_loop_that_never_says_it_is_full_cannot_leave_the_tunnel_blocked() -> None:
    client, _ = await connected_pair()
    assert client.connection is not None
    client.tcp.buffered = tunnel_socket.HIGH + 1  # seen filling, yet pause_writing never comes
    client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await asyncio.sleep(0)
    assert client.connection.paused
    client.tcp.buffered = 0
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not client.connection.paused


async def test_segments_go_out_apart() -> None:
    client = Side(Role.CLIENT, Through(Opening((b"POST / HTTP/1.1\r\n\r\n", b"rest"), None, b"", 0.5)))
    await asyncio.sleep(0)
    assert client.take() == b"POST / HTTP/1.1\r\n\r\n"
    await asyncio.sleep(0.4)
    assert client.take() == b""
    await asyncio.sleep(0.2)
    assert client.take().startswith(b"restSSH-2.0-")


@pytest.mark.parametrize("segments", [(), (b"POST / HTTP/1.1\r\n\r\n", b"rest")], ids=["at once", "apart"])
async def test_once_dropped_nothing_more_is_written(
    segments: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Side(Role.CLIENT, Through(Opening(segments, None, b"", 0.5)))
    client.take()
    # As with uvloop when a dial is cancelled: closed behind our back, and it does not say so.
    monkeypatch.setattr(client.tcp, "abort", lambda: None)
    client.socket.abort()
    await asyncio.sleep(1.0)
    assert client.take() == b""


async def test_a_stranger_hears_nothing_and_is_read_on() -> None:
    server = Side(Role.SERVER, Through(refuse=True))
    server.tcp.arrive(b"GET / HTTP/1.1\r\n\r\n")
    server.tcp.arrive(b"more")
    assert server.refusals == ["stranger"]
    assert server.tcp.written == b""
    assert server.tcp.reading
    server.socket.finish()
    assert server.tcp.log == ["fin"]
    await asyncio.sleep(tunnel_socket.FIN_GRACE + 1)
    assert server.tcp.log == ["fin", "close"]


async def test_a_queued_handshake_waits_unread_and_goes_on_where_it_was() -> None:
    server = Side(Role.SERVER, Through(wanted=5), admit=False)
    server.tcp.arrive(b"SSH-2.0-OpenSSH_9.6\r\n")
    assert server.tcp.written == b""
    assert not server.tcp.reading
    assert server.proceed is not None
    server.proceed()
    assert server.tcp.reading
    assert server.take().startswith(b"SSH-2.0-")
    assert server.transport.peer_identification == b"SSH-2.0-OpenSSH_9.6"


async def test_a_protocol_error_is_answered_with_its_code() -> None:
    client, server = await connected_pair()
    server.tcp.arrive(bytes(64))
    await asyncio.sleep(0)
    goodbye: list[tuple[int, str]] = []
    client.transport.disconnected = lambda code, text: goodbye.append((code, text))
    client.tcp.arrive(server.take())
    assert goodbye
    assert server.tcp.log[-1] == "close"
    await asyncio.sleep(0)
    assert isinstance(server.losses[0], RemoteProtocolError)


async def test_limits_rest_both_ways() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    assert server.connection is not None
    asked: list[int] = []

    def inward(count: int, now: float) -> float:
        asked.append(count)
        return 2.0

    server.socket.limit((inward, lambda count, now: 3.0))
    client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await settle(client, server)
    assert asked
    assert not server.tcp.reading
    assert server.connection.paused
    await asyncio.sleep(2.1)
    assert server.tcp.reading
    assert server.connection.paused
    await asyncio.sleep(1.0)
    assert not server.connection.paused


async def test_a_peer_that_never_reads_its_answers_is_not_read_any_more() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    server.tcp.stuck = True
    sent = 0
    while server.tcp.reading and sent < 1_000_000:
        for _ in range(2000):
            client.connection.request(b"nobody knows this", bytes(100), lambda reply: None)
        sent += 2000
        await asyncio.sleep(0)
        await arrive(server.tcp, client.take())
    assert not server.tcp.reading
    assert server.tcp.buffered < tunnel_socket.STUCK * 2
    server.tcp.drain()
    assert server.tcp.reading


async def test_a_full_read_lets_the_others_have_their_turn() -> None:
    stranger = Side(Role.SERVER, Through(refuse=True))
    flood = bytes(3 * tunnel_socket.READ - 1)
    assert stranger.tcp.arrive(flood) == tunnel_socket.READ
    assert stranger.tcp.log == ["pause"]
    await asyncio.sleep(0)
    assert stranger.tcp.log == ["pause", "resume"]
    assert stranger.tcp.arrive(bytes(100)) == 100  # not a full one
    assert stranger.tcp.log == ["pause", "resume"]


async def busy() -> tuple[Connection, Callable[[], bool]]:
    """Return a tunnel, and what writes a turn's worth to it and says whether it then has to wait."""
    client, server = await connected_pair()
    assert client.connection is not None
    connection, endpoint = client.connection, RecordingEndpoint()
    connection.open(b"direct-tcpip", b"", endpoint)
    await settle(client, server)
    client.tcp.written.clear()

    def write() -> bool:
        assert endpoint.channel is not None
        endpoint.channel.on_adjust(Reader(u32(tunnel_socket.TURN)))
        endpoint.send(bytes(tunnel_socket.TURN))
        return connection.paused

    return connection, write


async def test_busy_tunnels_take_turns_whatever_the_system_takes_of_each() -> None:
    (one, write_one), (other, write_other) = await busy(), await busy()
    write_one()
    for _ in range(3):
        await asyncio.sleep(0)
        assert write_other()
        assert write_one()
    await asyncio.sleep(0)
    assert not one.paused
    assert not other.paused


async def test_who_is_busy_alone_does_not_wait() -> None:
    _, write = await busy()
    write()
    await asyncio.sleep(0)
    assert not any(write() for _ in range(10))


async def test_its_turn_does_not_come_while_it_waits_for_admission() -> None:
    server = Side(Role.SERVER, Through(wanted=1), admit=False)
    server.tcp.arrive(bytes(tunnel_socket.READ))
    await asyncio.sleep(1)
    assert not server.tcp.reading


async def test_too_much_held_back_during_a_key_exchange_ends_the_tunnel_wherever_it_shows() -> None:
    client, _server = await connected_pair()
    assert client.connection is not None
    client.transport.rekey()
    for _ in range(20_000):  # the server never answers the key exchange
        client.connection.request(b"something", bytes(100), lambda reply: None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.tcp.log[-1] == "close"
    assert isinstance(client.losses[0], RemoteProtocolError)


async def test_a_stranger_who_takes_nothing_is_dropped_when_the_time_is_up() -> None:
    server = Side(Role.SERVER)
    server.tcp.stuck = True
    server.tcp.write(bytes(1000))
    server.socket.finish()
    await asyncio.sleep(tunnel_socket.FIN_GRACE + 1)
    assert server.tcp.log == ["fin", "abort"]


async def test_whoever_was_not_read_for_some_reason_is_read_to_the_end() -> None:
    server = Side(Role.SERVER, Through(wanted=1))
    assert server.socket.hold()
    server.socket.finish()
    await arrive(server.tcp, bytes(3 * tunnel_socket.READ))
    await asyncio.sleep(0)
    assert server.tcp.reading
    assert server.socket.bytes_in == 3 * tunnel_socket.READ


async def test_a_turn_that_comes_after_the_end_is_not_taken() -> None:
    server = Side(Role.SERVER, Through(wanted=1), admit=False)
    server.tcp.arrive(b"x")
    server.socket.finish()
    assert server.proceed is not None
    server.proceed()
    assert not hasattr(server, "transport")


async def test_plain_ssh_answers_what_is_no_ssh_like_the_commonest_server() -> None:
    server = Side(Role.SERVER)
    await asyncio.sleep(0)
    identification = server.take()
    server.tcp.arrive(b"GET / HTTP/1.1\r\n\r\n")
    assert identification.startswith(b"SSH-2.0-OpenSSH")
    assert server.take() == b"Invalid SSH identification string.\r\n"
    assert server.tcp.log[-1] == "close"


async def test_before_there_are_keys_a_disconnect_says_no_more_than_its_code() -> None:
    server = Side(Role.SERVER)
    await asyncio.sleep(0)
    server.take()
    server.tcp.arrive(b"SSH-2.0-OpenSSH_9.6\r\n" + b"\xff" * 64)  # a length out of bounds
    assert b"out of bounds" not in server.take()
    assert server.tcp.log[-1] == "close"


async def test_a_peer_we_do_not_read_is_not_called_silent() -> None:
    client, server = await connected_pair()
    assert client.connection is not None
    server.socket.limit((lambda count, now: 2.0 if count else 0.0, lambda count, now: 0.0))
    assert not server.socket.resting
    client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await settle(client, server)
    assert server.socket.resting
    await asyncio.sleep(2.1)
    assert not server.socket.resting


# ---- framing


class Framed(Through):
    """A layer that is through at once, and has all that follows framed."""

    def __init__(self) -> None:
        self._framing = Deframer()
        super().__init__(Opening(framing=self._framing))

    def receive(self, data: bytes) -> Opening:
        return Opening(leftover=self._framing.receive(data))


async def framed_pair() -> tuple[Side, Side]:
    client, server = Side(Role.CLIENT, Framed()), Side(Role.SERVER, Framed())
    await settle(client, server)
    assert client.connection is not None
    assert server.connection is not None
    return client, server


def body(stream: bytes) -> bytes:
    """Return the body that an HTTP parser sees in what one side sent; it must be complete."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + stream)
    found = b""
    while not isinstance(event := parser.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Request | h11.Data)
        found += event.data if isinstance(event, h11.Data) else b""
    assert parser.trailing_data == (b"", False)
    return found


@pytest.mark.parametrize("who_leaves", ["client", "server"])
async def test_what_each_side_sends_is_one_whole_message(who_leaves: str) -> None:
    client, server = await framed_pair()
    client.transport.disconnected = lambda code, text: client.socket.leave(NetworkError("goodbye"))
    server.transport.disconnected = lambda code, text: server.socket.close()
    assert client.connection is not None
    endpoint = RecordingEndpoint()
    client.connection.open(b"direct-tcpip", b"", endpoint)
    await settle(client, server)
    endpoint.send(bytes(100_000))
    await settle(client, server)
    assert len(server.accepted[0].received) == 100_000

    (client if who_leaves == "client" else server).socket.disconnect()
    await settle(client, server)
    assert len(body(client.sent)) > 100_000
    assert body(server.sent).startswith(b"SSH-2.0-")
    for side in (client, server):
        assert side.tcp.log == ["fin"]
        side.tcp.finish()
        await asyncio.sleep(0)
        assert side.tcp.lost
    assert server.losses == [None]
    assert isinstance(client.losses[0], NetworkError) == (who_leaves == "server")


async def test_a_flush_is_one_chunk_in_one_write() -> None:
    client, _ = await framed_pair()
    assert client.connection is not None
    writes: list[bytes] = []
    client.tcp.write = lambda data: writes.append(bytes(data))  # type: ignore[method-assign]
    for _ in range(20):
        client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await asyncio.sleep(0)
    (write,) = writes
    assert body(write + LAST_CHUNK)


async def test_frames_may_be_cut_anywhere() -> None:
    client, server = await framed_pair()
    assert client.connection is not None
    client.connection.open(b"direct-tcpip", b"", RecordingEndpoint())
    await asyncio.sleep(0)
    for byte in client.take():
        server.tcp.arrive(bytes([byte]))
    assert len(server.accepted) == 1


async def test_the_end_of_the_message_is_the_end_of_the_connection() -> None:
    _, server = await framed_pair()
    server.tcp.arrive(LAST_CHUNK)
    assert server.take().endswith(LAST_CHUNK)
    assert server.tcp.log == ["fin"]
    server.tcp.arrive(b"whatever")  # is not read any more
    server.tcp.finish()
    await asyncio.sleep(0)
    assert server.losses == [None]


async def test_behind_the_end_of_the_message_nothing_is_sealed_for_a_peer_that_stays() -> None:
    client, server = await framed_pair()
    assert client.connection is not None
    endpoint = RecordingEndpoint()
    client.connection.open(b"direct-tcpip", b"", endpoint)
    await settle(client, server)
    server.tcp.arrive(LAST_CHUNK)
    assert server.tcp.log == ["fin"]
    for _ in range(100):
        server.accepted[0].send(bytes(1000))
    assert server.transport.pending == 0


async def test_a_peer_that_does_not_end_its_message_is_not_waited_for_long() -> None:
    _, server = await framed_pair()
    server.socket.disconnect()
    assert server.tcp.log == ["fin"]
    await asyncio.sleep(tunnel_socket.FIN_GRACE + 1)
    assert server.tcp.lost


async def test_what_is_no_chunk_is_an_error_of_the_protocol() -> None:
    _, server = await framed_pair()
    server.tcp.arrive(b"this is no chunk at all")
    assert server.take().endswith(LAST_CHUNK)
    server.tcp.finish()
    await asyncio.sleep(0)
    assert isinstance(server.losses[0], RemoteProtocolError)


async def test_what_came_with_the_preamble_is_not_taken_apart_again() -> None:
    class Queued(Through):
        def receive(self, data: bytes) -> Opening:
            return Opening(leftover=data, framing=Deframer())

    server = Side(Role.SERVER, Queued(), admit=False)
    server.tcp.arrive(b"SSH-2.0-unframed\r\n")
    assert server.proceed is not None
    server.proceed()
    assert server.transport.peer_identification == b"SSH-2.0-unframed"
    await asyncio.sleep(0)
    assert body(server.take() + LAST_CHUNK).startswith(b"SSH-2.0-OpenSSH_9.6\r\n")
