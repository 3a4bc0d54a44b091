"""Replacing the keys of a connection in use: from either side, from both at once, and under load."""

from dataclasses import replace

import pytest
from tests.unit.ssh.test_channel import Talker
from tests.unit.ssh.tools import CHACHA, QUICK, connected, connections, inject, refused, sealed_numbers

from headrace.ssh import numbers
from headrace.ssh.algorithms import ETM_MACS, MACS, Offer
from headrace.ssh.channel import Channel
from headrace.ssh.host_keys import HostKey
from headrace.ssh.transport import MAX_HELD
from headrace.ssh.wire import boolean, string, u32
from headrace.testing.peers import Peer, SshPair

CTR = replace(QUICK, ciphers=("aes256-ctr",), macs=MACS)
ETM = replace(CTR, macs=ETM_MACS)
OFFERS = {
    "gcm": QUICK,
    "chacha": CHACHA,
    "ctr": CTR,
    "etm": ETM,
    "chacha not strict": replace(CHACHA, strict=False),
    "ctr not strict": replace(CTR, strict=False),
}
#: Numbers that may pass between our KEXINIT and NEWKEYS (RFC 4253 §7.1).
ALLOWED = {1, 2, 3, 4, *range(20, 50)}


def both(pair: SshPair) -> tuple[Peer, Peer]:
    return pair.client, pair.server


def check_order(keys: list[list[int]]) -> int:
    """Check that each key seals nothing of the upper layers behind a KEXINIT; return how many ended."""
    ended = 0
    for log in keys:
        if numbers.KEXINIT in log:
            exchange = log[log.index(numbers.KEXINIT) :]
            assert set(exchange) <= ALLOWED
            assert exchange.count(numbers.KEXINIT) == 1
        if numbers.NEWKEYS in log:
            assert log.index(numbers.NEWKEYS) == len(log) - 1
            ended += 1
    return ended


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("who", ["client", "server", "both"])
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_from_either_side(offer: Offer, who: str, step: int) -> None:
    pair = connected(offer)
    endpoint, _channel = pair.open()
    far = pair.accepted[0][2]
    session = pair.client.transport.session_id
    for number in range(3):
        before = [peer.transport._sealer for peer in both(pair)]
        for peer in both(pair):
            if who in ("both", "client" if peer is pair.client else "server"):
                peer.transport.rekey()
                peer.transport.rekey()
        pair.run(step)
        assert all(
            peer.transport._sealer is not sealer for peer, sealer in zip(both(pair), before, strict=True)
        )
        assert not any(peer.transport.holding for peer in both(pair))
        endpoint.send(b"up%d" % number)
        far.send(b"down%d" % number)
        pair.run(step)
    assert far.received == b"up0up1up2"
    assert endpoint.received == b"down0down1down2"
    assert all(peer.transport.session_id == session for peer in both(pair))


def test_the_marker_of_strictness_is_not_sent_again_and_strictness_stays() -> None:
    pair = connected(CHACHA)
    for peer in both(pair):
        assert b"kex-strict" in peer.sent
    pair.client.transport.rekey()
    exchange = pair.client.transport._exchange
    assert exchange is not None and exchange.strict
    assert b"kex-strict" not in exchange._our_init
    pair.run()
    assert all(peer.transport._sealer.sequence == 0 for peer in both(pair))  # type: ignore[union-attr]
    assert all(peer.transport._opener.sequence == 0 for peer in both(pair))  # type: ignore[union-attr]


def test_without_strictness_the_sequence_numbers_go_on() -> None:
    pair = connected(replace(CHACHA, strict=False))
    before = pair.client.transport._sealer.sequence  # type: ignore[union-attr]
    pair.client.transport.rekey()
    pair.run()
    assert pair.client.transport._sealer.sequence == before + 3  # type: ignore[union-attr]
    assert pair.server.transport._opener.sequence == before + 3  # type: ignore[union-attr]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("rekey_bytes", [1, 1000, 20_000, 300_000])
def test_under_load(offer: Offer, rekey_bytes: int) -> None:
    """Many channels, data in flight both ways, and keys replaced over and over: nobody notices."""
    total = 2000 if rekey_bytes < 1000 else 40_000 if rekey_bytes < 100_000 else 400_000
    answers: list[bytes | None] = []
    downward: list[Talker] = []

    def accept(channel: Channel, kind: bytes, extra: memoryview) -> None:
        talker = Talker(total)
        talker.channel = channel
        downward.append(talker)
        channel.accept(talker)
        talker.pump()

    with sealed_numbers() as log:
        pair = connected(
            offer, accept=accept, answer=lambda name, payload: bytes(payload), rekey_bytes=rekey_bytes
        )
        client = connections(pair)[0]
        upward = [Talker(total) for _ in range(12)]
        for number, talker in enumerate(upward):
            client.open(b"direct-tcpip", b"", talker)
            client.request(b"echo", b"%d" % number, answers.append)
        pair.run()
        for talker in upward:
            assert talker.channel is not None
            talker.channel.eof()
        pair.run()
        for talker in downward:
            assert talker.channel is not None
            talker.channel.close()
        pair.run()
        ended = check_order(log())
    assert ended >= 10
    assert answers == [b"%d" % number for number in range(12)]
    for talker in (*upward, *downward):
        assert talker.left == 0
        assert len(talker.received) == total
        assert talker.events[-1] == ("closed", None)
    assert all(not connection.channels for connection in connections(pair))


def test_endpoints_pause_while_it_lasts() -> None:
    pair = connected()
    talker = Talker(10)
    connections(pair)[0].open(b"x", b"", talker)
    pair.run()
    talker.left = 5
    pair.client.transport.rekey()
    assert talker.events[-1] == ("pause",)
    assert talker.channel is not None and talker.channel.room == 0
    pair.run()
    assert talker.events[-1] == ("writable",)
    assert talker.left == 0


def test_a_way_out_that_frees_itself_meanwhile_resumes_nobody() -> None:
    for limit in (1, 1 << 30):
        pair = connected(rekey_bytes=limit)
        client = connections(pair)[0]
        talker = Talker(10)
        client.open(b"x", b"", talker)
        pair.run()
        talker.left = 5
        pair.client.transport.rekey()
        client.block(True)
        client.block(False)
        assert client.paused
        assert talker.left == 5
        pair.run()
        assert talker.left == 0


def test_small_messages_wait_for_its_end_in_order() -> None:
    pair = connected(answer=lambda name, payload: None)
    heard: list[int] = []
    for number in (numbers.GLOBAL_REQUEST, numbers.CHANNEL_OPEN):
        pair.server.transport.table[number] = lambda payload: heard.append(payload[0])
    client = connections(pair)[0]
    with sealed_numbers() as log:
        pair.client.transport.rekey()
        client.request(b"first", b"", lambda reply: None)
        client.open(b"second", b"", Talker(0))
        client.request(b"third", b"", lambda reply: None)
        pair.run()
        assert check_order(log()) == 2
    assert heard == [numbers.GLOBAL_REQUEST, numbers.CHANNEL_OPEN, numbers.GLOBAL_REQUEST]


def test_a_peer_that_never_finishes_cannot_fill_our_memory() -> None:
    """Its requests are answered only after an exchange that it does not go on with."""
    pair = connected(answer=lambda name, payload: bytes(32_000))
    pair.server.transport.rekey()
    pair.server.take()
    request = bytes((numbers.GLOBAL_REQUEST,)) + string(b"x") + boolean(True)
    with refused(2, "too much"):
        for _ in range(MAX_HELD // 32_000 + 1):
            inject(pair.client, pair.server, request)
    assert sum(map(len, pair.server.transport._held)) <= MAX_HELD


def begun(by_peer: bool) -> SshPair:
    """Return a pair whose client has sent its KEXINIT of a new exchange; the server has answered or begun."""
    pair = connected()
    pair.open()
    (pair.server if not by_peer else pair.client).transport.rekey()
    if not by_peer:
        pair.client.feed(pair.server.take())
    pair.server.feed(pair.client.take())
    assert pair.server.transport.holding
    return pair


UPPER: dict[str, bytes] = {
    "service request": bytes((numbers.SERVICE_REQUEST,)) + string(b"ssh-userauth"),
    "service accept": bytes((numbers.SERVICE_ACCEPT,)),
    "userauth": bytes((numbers.USERAUTH_REQUEST,)),
    "global request": bytes((numbers.GLOBAL_REQUEST,)) + string(b"x") + boolean(True),
    "channel open": bytes((numbers.CHANNEL_OPEN,)) + string(b"x") + u32(0) + u32(0) + u32(32768),
    "channel data": bytes((numbers.CHANNEL_DATA,)) + u32(0) + string(b"x"),
    "unknown": b"\xff",
}


@pytest.mark.parametrize("payload", UPPER.values(), ids=UPPER)
@pytest.mark.parametrize("by_peer", [True, False])
def test_upper_layers_behind_the_peers_initialisation_are_refused(payload: bytes, by_peer: bool) -> None:
    pair = begun(by_peer)
    with refused(2, "in the middle of a key exchange"):
        inject(pair.client, pair.server, payload)


def test_upper_layers_before_the_peers_initialisation_are_fine() -> None:
    """What the peer sent before it knew of our KEXINIT counts."""
    pair = connected()
    endpoint, _channel = pair.open()
    pair.server.transport.rekey()
    endpoint.send(b"crossing")
    pair.server.feed(pair.client.take())
    assert pair.accepted[0][2].received == b"crossing"
    pair.run()
    endpoint.send(b" and going on")
    pair.run()
    assert pair.accepted[0][2].received == b"crossing and going on"


def test_the_transport_layer_goes_on_meanwhile() -> None:
    pair = begun(by_peer=True)
    for number in (numbers.IGNORE, numbers.DEBUG, numbers.UNIMPLEMENTED, numbers.EXT_INFO, 8):
        inject(pair.client, pair.server, bytes((number,)))
    pair.run()
    assert not pair.server.transport.holding
    pair.client.transport.rekey()
    pair.client.transport.disconnect(11, "bye")
    pair.run()
    assert pair.server.disconnects == [(11, "bye")]


def test_another_host_key_in_a_later_exchange_is_refused() -> None:
    pair = connected()
    transport = pair.server.transport
    transport.config = replace(transport.config, host_keys=(HostKey.generate("ed25519"),))
    pair.client.transport.rekey()
    with refused(9, "another one"):
        pair.run()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_each_direction_counts(direction: str) -> None:
    """Whoever sends or receives too much begins."""
    pair = connected(rekey_bytes=1 << 30)
    endpoint, _channel = pair.open()
    sender = endpoint if direction == "up" else pair.accepted[0][2]
    for counter in both(pair):
        before = counter.transport._sealer
        counter.transport.config = replace(counter.transport.config, rekey_bytes=50_000)
        for _ in range(3):
            sender.send(bytes(20_000))
            pair.run()
        assert counter.transport._sealer is not before
        counter.transport.config = replace(counter.transport.config, rekey_bytes=1 << 30)
