"""Key derivation (RFC 4253 §7.2) and the exchange hash (§8), written out once more and compared."""

import hashlib

import pytest
from tests.unit.ssh.tools import QUICK, connected, quick_pair, refused

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.algorithms import Choice
from headrace.ssh.kex_methods import kex_method
from headrace.ssh.key_exchange import KeyExchange, Keys
from headrace.ssh.protection import suite
from headrace.ssh.wire import Reader, mpint, string
from headrace.testing.peers import host_key

SECRET, HASH, SESSION = mpint(0x80 << 248), b"H" * 32, b"S" * 32


def derived(letter: bytes, size: int, name: str = "sha256") -> bytes:
    """HASH(K || H || letter || session_id), then HASH(K || H || K1), and so on."""
    result = hashlib.new(name, SECRET + HASH + letter + SESSION).digest()
    while len(result) < size:
        result += hashlib.new(name, SECRET + HASH + result).digest()
    return result[:size]


@pytest.mark.parametrize(
    ("cipher", "mac"),
    [
        ("aes256-ctr", "hmac-sha2-512"),
        ("aes128-ctr", "hmac-sha2-256-etm@openssh.com"),
        ("chacha20-poly1305@openssh.com", ""),
        ("aes256-gcm@openssh.com", ""),
    ],
)
@pytest.mark.parametrize("kex", ["curve25519-sha256", "ecdh-sha2-nistp384"])
def test_letters_and_lengths(cipher: str, mac: str, kex: str) -> None:
    method = kex_method(kex)
    choice = Choice(kex, "ssh-ed25519", (cipher, cipher), (mac, mac))
    client = Keys(method, choice, True, SECRET, HASH, SESSION)
    server = Keys(method, choice, False, SECRET, HASH, SESSION)
    sizes = suite(cipher, mac).sizes
    for sender, receiver, letters in ((client, server, b"ACE"), (server, client, b"BDF")):
        iv, key, mac_key = (
            derived(letters[place : place + 1], size, method.hash_name)
            for place, size in enumerate((sizes.iv, sizes.key, sizes.mac))
        )
        expected = bytes(suite(cipher, mac).sealer(9, key, iv, mac_key).seal(b"payload"))
        assert bytes(sender.sealer(9).seal(b"payload")) == expected
        opener = receiver.opener(9)
        assert opener.length(memoryview(expected)[:4]) == len(expected)
        assert opener.open(memoryview(expected))[1:8] == b"payload"


def test_long_keys_use_all_that_was_derived_so_far() -> None:
    method = kex_method("curve25519-sha256")
    choice = Choice("", "", ("chacha20-poly1305@openssh.com",) * 2, ("", ""))
    keys = Keys(method, choice, True, SECRET, HASH, SESSION)
    assert keys._derive(b"X", 128) == derived(b"X", 128)
    assert keys._derive(b"X", 0) == b""


def reply_value(sent: bytes) -> bytes:
    """Return the server's public value: it follows the host key blob, the first string of KEX_REPLY."""
    blob = string(host_key("ed25519").blob)
    reader = Reader(sent[sent.index(blob) + len(blob) :])
    return bytes(reader.string())


def test_the_exchange_hash() -> None:
    """Everything that passed in the clear enters, in the order of RFC 5656 §4."""
    pair = quick_pair()
    exchanges: dict[bool, KeyExchange] = {}
    original = KeyExchange.on_new_keys

    def keep(self: KeyExchange) -> Keys:
        exchanges[self._client] = self
        return original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeyExchange, "on_new_keys", keep)
        pair.start().run()
    client, server = exchanges[True], exchanges[False]
    assert client.keys is not None and server.keys is not None
    assert client.keys.exchange_hash == server.keys.exchange_hash == pair.client.transport.session_id
    pieces = b"".join(
        map(
            string,
            (
                b"SSH-2.0-OpenSSH_9.6",
                b"SSH-2.0-OpenSSH_9.6",
                client._our_init,
                server._our_init,
                pair.server.transport.config.host_keys[0].blob,
                client._public,
                reply_value(bytes(pair.server.sent)),
            ),
        )
    )
    assert hashlib.sha256(pieces + client.keys.secret).digest() == client.keys.exchange_hash


def test_sessions_differ_and_survive_later_exchanges() -> None:
    first, second = connected(QUICK), connected(QUICK)
    session = first.client.transport.session_id
    assert session != second.client.transport.session_id
    first.client.transport.rekey()
    first.run()
    assert first.client.transport.session_id == first.server.transport.session_id == session


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_reply_cut_short(cut: int) -> None:
    pair = quick_pair().start()
    pair.server.feed(pair.client.take())
    pair.client.feed(pair.server.take())
    heard: list[bytes] = []
    exchange = pair.client.transport._exchange
    assert exchange is not None
    original = exchange.on_message
    exchange.on_message = lambda payload: heard.append(payload)  # type: ignore[method-assign]
    pair.server.feed(pair.client.take())
    with pytest.raises(RemoteProtocolError):
        pair.client.feed(pair.server.take())  # NEWKEYS, and no reply was understood
    with pytest.raises(RemoteProtocolError):
        original(heard[0][:-cut])


def test_a_reply_with_something_behind_it() -> None:
    pair = quick_pair().start()
    exchange = pair.client.transport._exchange
    assert exchange is not None
    original = exchange.on_message
    exchange.on_message = lambda payload: original(payload + b"\0")  # type: ignore[method-assign]
    with refused(2, "left over"):
        pair.run()
