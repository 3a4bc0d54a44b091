"""The transport machine: whole, byte by byte, with trailing data, and at its edges. Rekeying is apart."""

from dataclasses import replace

import pytest
from tests.unit.ssh.test_clear import Mask
from tests.unit.ssh.tools import (
    CHACHA,
    QUICK,
    connected,
    connections,
    inject,
    plain_offer,
    quick_pair,
    refused,
)

from headrace.base.errors import LocalProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh import numbers
from headrace.ssh.algorithms import ETM_MACS, KEX_METHODS, MACS, OBFUSCATED, PLAIN, Offer
from headrace.ssh.connection import Connection
from headrace.ssh.host_keys import HostKey
from headrace.ssh.kex_methods import supported_kex_methods
from headrace.ssh.protection import HEADROOM, TAILROOM
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.ssh.wire import string, u32
from headrace.testing.peers import Peer, SshPair, host_key

METHODS = [name for name in KEX_METHODS if name in supported_kex_methods()]
IDENTIFICATION = b"SSH-2.0-Test"


def exchange_some_data(pair: SshPair) -> None:
    endpoint, _channel = pair.open()
    far = pair.accepted[-1][2]
    endpoint.send(b"up" * 1000)
    far.send(b"down" * 20_000)
    pair.run()
    assert far.received == b"up" * 1000
    assert endpoint.received == b"down" * 20_000


# ---- whole, and with every algorithm --------------------------------------------------------------------


@pytest.mark.parametrize("kex", METHODS)
def test_every_key_exchange_method(kex: str) -> None:
    exchange_some_data(connected(plain_offer(kex=(kex,))))


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("algorithm", [None, "rsa-sha2-256", "rsa-sha2-512"])
def test_every_host_key_algorithm(kind: str, algorithm: str | None) -> None:
    offer = PLAIN if algorithm is None or kind == "ed25519" else plain_offer(host_keys=(algorithm,))
    pair = SshPair(client_offer=offer, key=host_key(kind)).start()
    pair.run()
    assert pair.outcome is True


@pytest.mark.parametrize("mac", (*MACS, *ETM_MACS))
@pytest.mark.parametrize("cipher", PLAIN.ciphers)
def test_every_protection(cipher: str, mac: str) -> None:
    offer = replace(QUICK, ciphers=(cipher,), macs=(mac,))
    exchange_some_data(connected(offer))
    exchange_some_data(connected(replace(offer, strict=False)))


def test_a_server_with_two_host_keys_uses_the_one_agreed() -> None:
    keys = (host_key("rsa"), host_key("ed25519"))
    for key in keys:
        pair = SshPair(key=key)
        pair.server.transport.config = replace(pair.server.transport.config, host_keys=keys)
        pair.server.transport._offer = PLAIN
        pair.start().run()
        assert pair.outcome is True


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("offer", [QUICK, CHACHA, OBFUSCATED], ids=["gcm", "chacha", "obfuscated"])
def test_in_pieces(offer: Offer, step: int) -> None:
    pair = quick_pair(offer).start()
    pair.run(step)
    assert pair.outcome is True
    endpoint, _channel = pair.open()
    endpoint.send(b"up" * 500)
    pair.run(step)
    assert pair.accepted[0][2].received == b"up" * 500


def test_what_follows_new_keys_in_one_piece_is_not_lost() -> None:
    """The client's NEWKEYS, service request and password reach the server at once, with part of more."""
    pair = quick_pair().start()
    for _ in range(2):
        pair.server.feed(pair.client.take())
        pair.client.feed(pair.server.take())
    data = pair.client.take()
    used = pair.server.transport.receive(memoryview(data + b"abc"))
    assert used == len(data)
    assert pair.server.connection is not None
    assert pair.server.transport.receive(memoryview(b"abc")) == 0


@pytest.mark.parametrize("extra", [0, 3, 236])
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_under_a_veil(extra: int, step: int) -> None:
    """The veil covers the beginning only, in both directions, and forgets itself."""
    pair = quick_pair(OBFUSCATED, veils=(Mask(extra), Mask(extra)), hide_lengths=True).start()
    assert pair.server.transport.veiled
    pair.run(step)
    assert pair.outcome is True
    assert not pair.client.transport.veiled
    assert not pair.client.sent.startswith(b"SSH-2.0-")
    exchange_some_data(pair)


def test_a_hiding_server_names_no_algorithm_before_the_client_did() -> None:
    pair = quick_pair(OBFUSCATED, hide_lengths=True).start()
    first = pair.server.take()
    assert first == b"SSH-2.0-OpenSSH_9.6\r\n"
    pair.client.feed(first)
    pair.run()
    assert pair.outcome is True


@pytest.mark.parametrize("strict", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("offer", [QUICK, CHACHA, replace(QUICK, ciphers=("aes128-ctr",), macs=MACS)])
def test_strictness_is_agreed(offer: Offer, strict: tuple[bool, bool]) -> None:
    client, server = (replace(offer, strict=one) for one in strict)
    pair = SshPair(client_offer=client, server_offer=server).start()
    pair.run()
    assert pair.client.transport._strict == pair.server.transport._strict == all(strict)
    exchange_some_data(pair)


def test_offers_leave_out_what_cannot_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(**changes: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
        config = TransportConfig(Role.CLIENT, IDENTIFICATION, **changes)  # type: ignore[arg-type]
        offer = Transport(config, SeededRng(1), lambda: None)._offer
        return offer.kex, offer.host_keys

    assert names()[1] == PLAIN.host_keys
    assert names(expected_host_key=host_key("rsa").blob)[1] == ("rsa-sha2-512", "rsa-sha2-256")
    monkeypatch.setattr("headrace.ssh.transport.supported_kex_methods", lambda: frozenset(METHODS[-1:]))
    assert names()[0] == (METHODS[-1],)


# ---- the server is who it should be ---------------------------------------------------------------------


def test_another_host_key_is_refused_before_anything_is_said() -> None:
    other = HostKey.generate("ed25519")
    pair = quick_pair()
    pair.client.transport.config = replace(pair.client.transport.config, expected_host_key=other.blob)
    with refused(9, "another one"):
        pair.start().run()
    assert pair.outcome is None
    assert pair.server.connection is None


def test_a_server_that_cannot_sign_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = HostKey.generate("ed25519")
    pair = quick_pair()
    monkeypatch.setattr(host_key("ed25519"), "sign", other.sign)
    with refused(9, "does not verify"):
        pair.start().run()


# ---- messages of the transport layer --------------------------------------------------------------------


def test_messages_that_change_nothing() -> None:
    pair = connected()
    silent = (numbers.IGNORE, numbers.DEBUG, numbers.UNIMPLEMENTED, numbers.EXT_INFO)
    for number in silent:
        inject(pair.client, pair.server, bytes((number,)) + b"anything")
    assert not pair.server.take()


def test_unknown_messages_are_answered_with_their_sequence_number() -> None:
    pair = connected(replace(QUICK, strict=False))
    heard: list[bytes] = []
    pair.client.transport.table[numbers.UNIMPLEMENTED] = lambda payload: heard.append(bytes(payload))
    for _ in range(2):
        sequence = pair.client.transport._sealer.sequence  # type: ignore[union-attr]
        inject(pair.client, pair.server, b"\xc8unknown")
        pair.run()
        assert heard.pop() == b"\x03" + u32(sequence)


def test_unknown_messages_before_the_keys_without_strictness() -> None:
    pair = quick_pair(replace(QUICK, strict=False)).start()
    heard: list[bytes] = []
    pair.client.transport.table[numbers.UNIMPLEMENTED] = lambda payload: heard.append(bytes(payload))
    inject(pair.client, pair.server, b"\x00")
    pair.run()
    assert heard == [b"\x03" + u32(1)]  # the KEXINIT was packet 0
    assert pair.outcome is True


def test_goodbye() -> None:
    pair = connected()
    pair.client.transport.disconnect(11, "bye")
    pair.client.transport.disconnect(2, "again")
    pair.run()
    assert pair.server.disconnects == [(11, "bye")]


def test_goodbye_before_the_keys() -> None:
    pair = quick_pair().start()
    pair.server.feed(pair.client.take())
    pair.server.transport.disconnect(3, "no")
    pair.client.feed(pair.server.take())
    assert pair.client.disconnects == [(3, "no")]


@pytest.mark.parametrize("payload", [b"", u32(1), u32(1) + u32(5) + b"abc"])
def test_a_goodbye_cut_short(payload: bytes) -> None:
    pair = connected()
    with refused(2):
        inject(pair.client, pair.server, bytes((numbers.DISCONNECT,)) + payload)


def test_nothing_is_taken_or_sent_after_a_goodbye() -> None:
    for leave_first in (True, False):
        pair = connected()
        endpoint, channel = pair.open()
        client = pair.client.transport
        if leave_first:
            client.disconnect(11, "bye")
            pair.client.take()
        else:
            pair.server.transport.disconnect(11, "bye")
            pair.client.feed(pair.server.take())
        client.send(b"\xc8")
        endpoint.send(b"data")
        channel.close()
        client.rekey()
        assert not pair.client.take()
        assert client.receive(memoryview(b"\xff" * 1000)) == 1000


def test_memory_does_not_grow_after_a_goodbye_before_the_keys() -> None:
    pair = quick_pair().start()
    client = pair.client.transport
    client.disconnect(2, "no")
    for _ in range(10):
        assert client.receive(memoryview(bytes(100_000))) == 100_000
    assert client._clear is not None and client._clear.leftover == 0


def test_messages_behind_a_goodbye_are_not_looked_at() -> None:
    pair = connected()
    farewell = bytes((numbers.DISCONNECT,)) + u32(11) + string(b"bye") + string(b"")
    inject(pair.client, pair.server, farewell, bytes((numbers.NEWKEYS,)))
    assert pair.server.disconnects == [(11, "bye")]


# ---- framing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 3, 15, 255])
def test_padding_that_does_not_fit(padding: int) -> None:
    """Authenticated and wrong all the same: 16 bytes of body leave room for a payload of 1 to 11."""
    pair = connected()
    sealer = pair.client.transport._sealer
    assert sealer is not None
    packet = memoryview(bytearray(u32(16) + bytes((padding,)) + b"\x02" + bytes(14)))
    out = memoryview(bytearray(100))
    used = sealer._protect(packet, 0, len(packet), out)
    with refused(2, f"padding length {padding}"):
        pair.server.feed(bytes(out[:used]))


def test_bulk_data_before_the_keys_is_a_bug_of_ours() -> None:
    pair = quick_pair().start()
    scratch = memoryview(bytearray(HEADROOM + 20 + TAILROOM))
    with pytest.raises(LocalProtocolError):
        pair.client.transport.send_from(scratch, HEADROOM + 9, HEADROOM + 15, 10, b"12345")


@pytest.mark.parametrize("size", [1, 9, 10, 11, 95, 100])
@pytest.mark.parametrize("limit", [10, 100])
def test_sending_in_place_in_pieces(size: int, limit: int) -> None:
    pair = connected()
    pieces: list[bytes] = []
    pair.server.transport.table[200] = lambda payload: pieces.append(bytes(payload))
    header = b"\xc8head"
    before = HEADROOM + len(header) + 4
    data = bytes(range(size))
    scratch = memoryview(bytearray(before) + data + bytearray(TAILROOM))
    transport = pair.client.transport
    transport.send_from(scratch, before, before + size, limit, header)
    pending = transport.pending
    sent = pair.client.take()
    assert pending == len(sent)
    assert transport.pending == 0
    pair.server.feed(sent)
    expected = [data[start : start + limit] for start in range(0, size, limit)]
    assert pieces == [header + u32(len(piece)) + piece for piece in expected]


def test_wake_is_called_whenever_there_is_something_to_take() -> None:
    woken: list[Transport] = []
    pair = quick_pair()
    peers = (pair.client, pair.server)
    for peer in peers:
        peer.transport._wake = lambda transport=peer.transport: woken.append(transport)  # type: ignore[misc]
    pair.start()
    while any(peer.transport.pending for peer in peers):
        for source, target in (peers, peers[::-1]):
            before = target.transport.pending
            woken.clear()
            target.feed(source.take())
            assert (target.transport.pending > before) == (target.transport in woken)
    assert pair.outcome is True


@pytest.mark.parametrize("number", [5, 6, 50, 80, 94, 255])
@pytest.mark.parametrize("strict", [True, False])
def test_upper_layers_before_the_keys(number: int, strict: bool) -> None:
    pair = quick_pair(replace(QUICK, strict=strict)).start()
    with refused(2, "before the keys"):
        inject(pair.client, pair.server, bytes((number,)))


@pytest.mark.parametrize("number", [7, 8, 19, 22, 29])
@pytest.mark.parametrize("strict", [True, False])
def test_other_messages_before_the_keys(number: int, strict: bool) -> None:
    pair = quick_pair(replace(QUICK, strict=strict)).start()
    with refused(2, "in the middle of the first"):
        inject(pair.client, pair.server, bytes((number,)))


@pytest.mark.parametrize("number", [2, 3, 4])
def test_strictness_allows_nothing_in_between(number: int) -> None:
    pair = quick_pair().start()
    with refused(2, "in the middle of the first"):
        inject(pair.client, pair.server, bytes((number,)))
    pair = quick_pair().start()
    data = pair.client.take()
    end = data.index(b"\n") + 1
    pair.client.transport._put(bytes((number,)))
    with refused(2, "before the first of a strict"):
        pair.server.feed(data[:end] + pair.client.take() + data[end:])


# ---- the state of a key exchange ------------------------------------------------------------------------


def test_rekeying_before_there_are_keys_does_nothing() -> None:
    pair = quick_pair(OBFUSCATED, hide_lengths=True)
    pair.server.transport.rekey()
    pair.start()
    pair.server.transport.rekey()
    pair.run()
    assert pair.outcome is True


def test_key_exchange_messages_out_of_place() -> None:
    for number in (numbers.NEWKEYS, numbers.KEX_INIT, numbers.KEX_REPLY, 49):
        pair = connected()
        with refused(2, "outside a key exchange"):
            inject(pair.client, pair.server, bytes((number,)))


def test_new_keys_before_there_are_any() -> None:
    pair = quick_pair().start()
    with refused(3, "new keys before"):
        inject(pair.client, pair.server, bytes((numbers.NEWKEYS,)))


def test_new_keys_with_something_in_it() -> None:
    pair = quick_pair().start()
    pair.server.feed(pair.client.take())
    pair.client.feed(pair.server.take())
    pair.server.feed(pair.client.take())
    with refused(2, "left over"):
        inject(pair.client, pair.server, bytes((numbers.NEWKEYS,)) + b"\0")


def test_a_second_initialisation_in_one_exchange() -> None:
    pair = quick_pair().start()
    again = pair.client.transport._exchange._our_init  # type: ignore[union-attr]
    with refused(3, "second initialisation"):
        inject(pair.client, pair.server, again)


def test_public_values_before_the_algorithms_are_agreed() -> None:
    pair = quick_pair()
    pair.start()
    pair.client.transport._output.clear()
    pair.client.transport._output.append(b"SSH-2.0-hasty\r\n")
    with refused(3, "does not belong"):
        inject(pair.client, pair.server, bytes((numbers.KEX_INIT,)) + string(bytes(32)))


def test_a_second_public_value() -> None:
    pair = quick_pair().start()
    pair.server.feed(pair.client.take())
    pair.client.feed(pair.server.take())
    value = b"\x1e" + string(pair.client.transport._exchange._public)  # type: ignore[union-attr]
    pair.server.feed(pair.client.take())
    with refused(3, "does not belong"):
        inject(pair.client, pair.server, value)


@pytest.mark.parametrize("limit", [*range(1, 200, 13), 1 << 30])
def test_a_connection_layer_that_begins_during_a_key_exchange_begins_paused(limit: int) -> None:
    """With keys that are replaced after every few bytes the log-in itself falls into an exchange."""
    paused: list[bool] = []

    def connect(pair: SshPair, peer: Peer) -> Connection:
        connection = original(pair, peer)
        assert connection.paused == peer.transport.holding
        connection.block(True)
        connection.block(False)
        assert connection.paused == peer.transport.holding
        paused.append(connection.paused)
        return connection

    original = SshPair._connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SshPair, "_connect", connect)
        pair = connected(rekey_bytes=limit)
    assert any(paused) or limit > 1
    assert not any(connection.paused for connection in connections(pair))
    endpoint, _channel = pair.open()
    endpoint.send(b"x")
    pair.run()
    assert pair.accepted[0][2].received == b"x"
