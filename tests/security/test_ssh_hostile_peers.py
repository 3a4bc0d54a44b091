"""Peers that send what they like: each ends in RemoteProtocolError with the right code, or changes nothing.

Nothing that a peer does makes us keep more than a bounded amount of its bytes.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.security.ssh_middle import clear_packet
from tests.unit.ssh.tools import QUICK, connected, connections, inject, quick_pair, refused

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh import numbers
from headrace.ssh.algorithms import KexInit
from headrace.ssh.channel import INITIAL_WINDOW, MAX_DATA
from headrace.ssh.clear import MAX_CLEAR_PACKET, MAX_LINES
from headrace.ssh.protection import MAX_PACKET
from headrace.ssh.transport import MAX_HELD
from headrace.ssh.wire import boolean, string, u32
from headrace.testing.peers import Peer, SshPair

# ---- every message in every state -----------------------------------------------------------------------

State = Callable[[], tuple[Peer, Peer]]  #: (who sends, who is looked at)
SERVICE = bytes((numbers.SERVICE_REQUEST,)) + string(b"ssh-userauth")


def silent(pair: SshPair) -> SshPair:
    """Let the client log in to nothing."""
    pair.client.transport.ready = lambda: None
    return pair


def after_the_line(side: str) -> State:
    """The identification has come, the KEXINIT has not."""

    def make() -> tuple[Peer, Peer]:
        pair = quick_pair().start()
        sender, receiver = (pair.client, pair.server) if side == "server" else (pair.server, pair.client)
        receiver.feed(sender.take().split(b"\n")[0] + b"\n")
        return sender, receiver

    return make


def server_after_kexinit() -> tuple[Peer, Peer]:
    pair = quick_pair().start()
    pair.server.feed(pair.client.take())
    return pair.client, pair.server


def client_after_kexinit() -> tuple[Peer, Peer]:
    pair = quick_pair().start()
    pair.client.feed(pair.server.take())
    return pair.server, pair.client


def server_with_keys() -> tuple[Peer, Peer]:
    client, server = server_after_kexinit()
    client.feed(server.take())
    kex_init, _new_keys = client.take(), None
    server.feed(kex_init)
    return client, server


def client_with_keys() -> tuple[Peer, Peer]:
    client, server = server_with_keys()
    data = server.take()
    end = 4 + int.from_bytes(data[:4], "big")
    client.feed(data[:end])
    sealer, server.transport._sealer = server.transport._sealer, None  # NEWKEYS is withheld
    assert sealer is not None
    return server, client


def server_before_log_in() -> tuple[Peer, Peer]:
    pair = silent(quick_pair()).start()
    pair.run()
    return pair.client, pair.server


def server_with_service() -> tuple[Peer, Peer]:
    client, server = server_before_log_in()
    inject(client, server, SERVICE)
    return client, server


def client_before_log_in() -> tuple[Peer, Peer]:
    pair = quick_pair()
    pair.server.transport.ready = lambda: None
    pair.start().run()
    pair.client.take()
    return pair.server, pair.client


def logged_in(side: str) -> State:
    def make() -> tuple[Peer, Peer]:
        pair = connected()
        return (pair.client, pair.server) if side == "server" else (pair.server, pair.client)

    return make


def rekeying(side: str, answered: bool) -> State:
    def make() -> tuple[Peer, Peer]:
        sender, receiver = logged_in(side)()
        receiver.transport.rekey()
        if answered:
            sender.transport.rekey()
            receiver.feed(sender.take())
        return sender, receiver

    return make


IGNORED = {numbers.IGNORE, numbers.UNIMPLEMENTED, numbers.DEBUG}
#: Transport-layer numbers that have no meaning to us, or none here; answered with UNIMPLEMENTED.
UNKNOWN = {0, numbers.EXT_INFO, *range(8, 20), *range(22, 30)}
LOG_IN = set(range(50, 80))
#: What the connection layer does not know.
ABOVE = {*range(83, 90), *range(101, 256)}

#: For each state the numbers which, with nothing behind them, are taken or answered. All others are refused.
TAKEN: dict[str, tuple[State, set[int]]] = {
    "server: line": (after_the_line("server"), IGNORED | {0}),
    "client: line": (after_the_line("client"), IGNORED | {0}),
    "server: KEXINIT": (server_after_kexinit, set()),
    "client: KEXINIT": (client_after_kexinit, set()),
    "server: keys": (server_with_keys, {numbers.NEWKEYS}),
    "client: keys": (client_with_keys, {numbers.NEWKEYS}),
    "server: before log-in": (server_before_log_in, IGNORED | UNKNOWN | LOG_IN | {6}),
    "server: service": (server_with_service, IGNORED | UNKNOWN | (LOG_IN - {50}) | {6}),
    "client: before log-in": (client_before_log_in, IGNORED | UNKNOWN | LOG_IN | {5, 6, *range(80, 256)}),
    "server: logged in": (logged_in("server"), IGNORED | UNKNOWN | LOG_IN | ABOVE | {6}),
    "client: logged in": (logged_in("client"), IGNORED | UNKNOWN | (LOG_IN - {51, 52}) | ABOVE | {5}),
    "server: rekeying": (rekeying("server", False), IGNORED | UNKNOWN | LOG_IN | ABOVE | {6}),
    "client: rekeying": (rekeying("client", False), IGNORED | UNKNOWN | (LOG_IN - {51, 52}) | ABOVE | {5}),
    "server: rekeying, answered": (rekeying("server", True), IGNORED | UNKNOWN),
    "client: rekeying, answered": (rekeying("client", True), IGNORED | UNKNOWN),
}


@pytest.mark.parametrize("state", TAKEN)
def test_every_message_in_every_state(state: str) -> None:
    make, taken = TAKEN[state]
    quiet = set()
    for number in range(256):
        sender, receiver = make()
        receiver.take()
        try:
            inject(sender, receiver, bytes((number,)))
        except RemoteProtocolError as error:
            assert error.code in (2, 3), number
        else:
            quiet.add(number)
        assert receiver.transport.pending < 200
    assert quiet == taken


@pytest.mark.parametrize("state", TAKEN)
def test_every_message_with_something_behind_it(state: str) -> None:
    """Only RemoteProtocolError comes of it, whatever it is."""
    rng = SeededRng(state)
    for number in range(256):
        for body in (u32(0) + string(b"x") * 8, rng.bytes(60)):
            sender, receiver = TAKEN[state][0]()
            receiver.take()
            try:
                inject(sender, receiver, bytes((number,)) + body)
            except RemoteProtocolError as error:
                assert error.code in (2, 3, 7, 14), number
            assert receiver.transport.pending < 2000


# ---- lengths and counts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [MAX_CLEAR_PACKET + 1, 1 << 24, 0xFFFFFFFF])
def test_huge_packets_before_the_keys(length: int) -> None:
    pair = quick_pair().start()
    with refused(2, "packet length"):
        pair.server.feed(b"SSH-2.0-x\r\n" + u32(length))


def test_a_packet_before_the_keys_that_never_ends() -> None:
    pair = quick_pair().start()
    pair.server.feed(b"SSH-2.0-x\r\n" + u32(MAX_CLEAR_PACKET))
    fed = 0
    with pytest.raises(RemoteProtocolError):
        while fed < 10 * MAX_CLEAR_PACKET:
            pair.server.feed(bytes(1000))
            fed += 1000
            assert pair.server.transport._clear is not None
            assert pair.server.transport._clear.leftover <= MAX_CLEAR_PACKET + 1004
    assert fed <= MAX_CLEAR_PACKET + 1000


@pytest.mark.parametrize("length", [MAX_PACKET + 16, 0xFFFFFFF0])
def test_huge_packets_behind_the_keys(length: int) -> None:
    pair = connected()
    with refused(2, "packet length"):
        pair.server.feed(u32(length))


@pytest.mark.parametrize("line", [b"\r\n", b"x" * 1000 + b"\r\n", b"\0" * 510 + b"\r\n"])
def test_endless_lines_before_the_identification(line: bytes) -> None:
    pair = quick_pair().start()
    fed = 0
    with refused(2, "too many lines"):
        while True:
            pair.client.feed(line)
            fed += len(line)
            assert fed <= MAX_LINES
    assert fed > MAX_LINES - 1024


def test_a_line_that_never_ends() -> None:
    pair = quick_pair().start()
    with refused(2, "too long"):
        for _ in range(2000):
            pair.server.feed(b"x")


def test_endless_ignored_messages_before_the_keys() -> None:
    """Only time, which the handshake's deadline bounds; no memory. Then the connection goes on."""
    pair = quick_pair(replace(QUICK, strict=False)).start()
    data = pair.client.take()
    end = data.index(b"\n") + 1
    pair.server.feed(data[:end])
    ignored = clear_packet(bytes((numbers.IGNORE,)) + bytes(30_000))
    for _ in range(300):
        pair.server.feed(ignored)
        clear = pair.server.transport._clear
        assert clear is not None and clear.leftover == 0
        assert len(clear._raw) <= len(ignored)
    before = pair.server.transport.pending
    pair.server.feed(data[end:])
    assert pair.server.transport.pending == before


def test_algorithm_lists_with_thousands_of_names() -> None:
    ours = KexInit.from_offer(QUICK, SeededRng(1), client=True, first=True)
    many = tuple(f"x{number}" for number in range(1000))
    endless = replace(ours, kex=many, ciphers=(many, many), macs=(many, many))
    pair = quick_pair().start()
    pair.client.take()
    started = time.perf_counter()
    with refused(3, "no common"):
        pair.server.feed(b"SSH-2.0-x\r\n" + clear_packet(endless.encode()))
    assert time.perf_counter() - started < 1


def test_the_longest_algorithm_lists_behind_the_keys() -> None:
    """A quarter of a megabyte of names, with the right ones last: understood in good time."""
    pair = connected()
    ours = KexInit.from_offer(QUICK, SeededRng(1), client=True, first=False)
    commas = ("",) * 100_000
    endless = replace(ours, kex=commas + ours.kex, ciphers=(commas + ours.ciphers[0], ours.ciphers[1]))
    started = time.perf_counter()
    inject(pair.client, pair.server, endless.encode())
    assert time.perf_counter() - started < 1


def test_repeated_initialisations() -> None:
    pair = connected()
    message = KexInit.from_offer(QUICK, SeededRng(1), client=True, first=False).encode()
    with refused(3, "second initialisation"):
        inject(pair.client, pair.server, message, message)


# ---- channels -------------------------------------------------------------------------------------------


def opening(window: int = 1 << 20, limit: int = MAX_DATA) -> bytes:
    return bytes((numbers.CHANNEL_OPEN,)) + string(b"x") + u32(0) + u32(window) + u32(limit)


def test_more_channels_than_there_may_be() -> None:
    pair = connected()
    server = connections(pair)[1]
    most = server._max_channels
    inject(pair.client, pair.server, *[opening()] * (most + 500))
    assert len(server.channels) == most
    assert len(pair.accepted) == most


@pytest.mark.parametrize("grants", [(0xFFFFFFFF,), (0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF)])
def test_windows_that_overflow(grants: tuple[int, ...]) -> None:
    pair = connected()
    adjusts = [bytes((numbers.CHANNEL_WINDOW_ADJUST,)) + u32(0) + u32(grant) for grant in grants]
    with refused(2, "exceeds"):
        inject(pair.client, pair.server, opening(), *adjusts)


def test_the_largest_window_costs_nothing() -> None:
    pair = connected()
    inject(pair.client, pair.server, opening(0xFFFFFFFF))
    channel = pair.accepted[0][2].channel
    assert channel is not None and channel.room == 0xFFFFFFFF
    assert pair.server.transport.pending < 100


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_packet_limits_that_would_multiply_our_work(limit: int) -> None:
    with refused(2, "packet limit"):
        pair = connected()
        inject(pair.client, pair.server, opening(limit=limit))


def test_data_beyond_the_window() -> None:
    pair = connected()
    data = bytes((numbers.CHANNEL_DATA,)) + u32(0) + string(bytes(INITIAL_WINDOW // 2 + 1))
    held = pair.accepted
    inject(pair.client, pair.server, opening())
    channel = held[0][2].channel
    assert channel is not None
    channel.hold()
    with refused(2, "beyond"):
        inject(pair.client, pair.server, data, data)
    assert len(held[0][2].received) <= INITIAL_WINDOW


def test_empty_data_without_end_takes_no_memory() -> None:
    pair = connected()
    empty = bytes((numbers.CHANNEL_DATA,)) + u32(0) + string(b"")
    inject(pair.client, pair.server, opening(), *[empty] * 5000)
    assert not pair.accepted[0][2].received


@pytest.mark.parametrize("number", [81, 82, 91, 92, 99, 100])
def test_answers_never_asked_for(number: int) -> None:
    pair = connected()
    with refused(2, "never"):
        inject(pair.client, pair.server, bytes((number,)) + u32(7) + u32(1) + bytes(40))


# ---- a key exchange that is never finished --------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [bytes((numbers.GLOBAL_REQUEST,)) + string(b"x") + boolean(True), opening()],
    ids=["requests", "channels"],
)
def test_messages_held_meanwhile_are_bounded(payload: bytes) -> None:
    """The smallest answers make the longest list: what a list of them costs is counted."""
    pair = connected()
    connections(pair)[1]._max_channels = 10
    server = pair.server.transport
    server.rekey()
    sealed = [payload] * 1000
    with refused(2, "too much"):
        for _ in range(40):
            inject(pair.client, pair.server, *sealed)
    assert len(server._held) < 40_000
    assert sum(map(sys.getsizeof, server._held)) < 2 * MAX_HELD


def test_unknown_messages_meanwhile_are_answered_at_once() -> None:
    pair = connected()
    pair.server.transport.rekey()
    pair.server.take()
    inject(pair.client, pair.server, *[b"\xff"] * 100)
    assert pair.server.transport._held == []
    assert pair.server.transport.pending == 100 * 36
