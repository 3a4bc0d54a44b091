"""One key exchange (RFC 4253 §7–8), from the two KEXINITs to the keys of both directions.

      client                                server
        KEXINIT  ───────────────────────────►  choose algorithms
        ◄───────────────────────────  KEXINIT
        KEX_INIT (public value)  ───────────►  make ours, K, H; sign H
        ◄──── KEX_REPLY (host key, value, signature), NEWKEYS
      check the key, K, H, the signature
        NEWKEYS  ───────────────────────────►

Every value that reaches the machine is the peer's: a bad one raises RemoteProtocolError with code 3 or 9.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh import numbers
from headrace.ssh.algorithms import STRICT_CLIENT, STRICT_SERVER, Choice, KexInit, Offer, negotiate
from headrace.ssh.host_keys import HostKey, verify
from headrace.ssh.kex_methods import KexMethod, kex_method
from headrace.ssh.protection import Opener, Sealer, suite
from headrace.ssh.wire import Reader, string

__all__ = ["KeyExchange", "Keys"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The outcome: secret K, hash H, and the recipe for each direction's protection."""

    method: KexMethod
    choice: Choice
    client: bool
    secret: bytes  #: K, encoded as it enters the hash
    exchange_hash: bytes
    session_id: bytes

    def sealer(self, sequence: int) -> Sealer:
        """Return the protection of what we send."""
        way = 0 if self.client else 1
        recipe = suite(self.choice.ciphers[way], self.choice.macs[way])
        sizes = recipe.sizes
        return recipe.sealer(sequence, *self._material(way, sizes.key, sizes.iv, sizes.mac))

    def opener(self, sequence: int) -> Opener:
        """Return the protection of what we receive."""
        way = 1 if self.client else 0
        recipe = suite(self.choice.ciphers[way], self.choice.macs[way])
        sizes = recipe.sizes
        return recipe.opener(sequence, *self._material(way, sizes.key, sizes.iv, sizes.mac))

    def _material(self, way: int, key: int, iv: int, mac: int) -> tuple[bytes, bytes, bytes]:
        """Derive key, IV and MAC key; letters A, C, E go client to server, B, D, F back (RFC 4253 §7.2)."""
        return (
            self._derive(b"CD"[way : way + 1], key),
            self._derive(b"AB"[way : way + 1], iv),
            self._derive(b"EF"[way : way + 1], mac),
        )

    def _derive(self, letter: bytes, size: int) -> bytes:
        head = self.secret + self.exchange_hash
        result = b""
        tail = letter + self.session_id
        while len(result) < size:
            result += self.method.digest(head + tail)
            tail = result
        return result[:size]


class KeyExchange:
    """One side of one exchange. `send` takes payloads; `new_keys` is told when our side has the keys."""

    def __init__(
        self,
        *,
        client: bool,
        identification: bytes,
        session_id: bytes,
        strict: bool,
        send: Callable[[bytes], None],
        new_keys: Callable[[Keys], None],
        host_keys: tuple[HostKey, ...] = (),
        expected_host_key: bytes | None = None,
    ) -> None:
        self.strict = strict  #: strict key exchange is in force, now or from an earlier exchange
        self.keys: Keys | None = None
        self._client = client
        self._identification = identification
        self._peer_identification = b""
        self._session_id = session_id
        self._send = send
        self._new_keys = new_keys
        self._host_keys = host_keys
        self._expected_host_key = expected_host_key
        self._init: KexInit | None = None
        self._our_init = self._peer_init = b""
        self._choice: Choice | None = None
        self._method: KexMethod | None = None
        self._public = b""
        self._skip_guess = False

    def offer(self, offer: Offer, rng: Rng) -> None:
        """Send our KEXINIT."""
        self._init = KexInit.from_offer(offer, rng, client=self._client, first=not self._session_id)
        self._our_init = self._init.encode()
        self._send(self._our_init)

    def on_init(self, payload: bytes, peer_identification: bytes) -> None:
        """Take the peer's KEXINIT; a client goes on with its public value."""
        assert self._init is not None
        if self._peer_init:
            raise _failed("a second initialisation in one key exchange")
        self._peer_init = payload
        self._peer_identification = peer_identification
        peer = KexInit.parse(payload)
        client, server = (self._init, peer) if self._client else (peer, self._init)
        self._choice = choice = negotiate(client, server)
        if not self._session_id and STRICT_CLIENT in client.kex and STRICT_SERVER in server.kex:
            self.strict = True
        # A guessed first message counts only if both sides' first choices agree (RFC 4253 §7).
        self._skip_guess = peer.guessed and (
            peer.kex[:1] != self._init.kex[:1] or peer.host_keys[:1] != self._init.host_keys[:1]
        )
        self._method = kex_method(choice.kex)
        if self._client:
            self._public = self._method.begin()
            self._send(bytes((numbers.KEX_INIT,)) + string(self._public))

    def on_message(self, payload: bytes) -> None:
        """Take one message of the method itself, numbers 30 to 49."""
        if self._skip_guess:
            self._skip_guess = False
            return
        expected = numbers.KEX_REPLY if self._client else numbers.KEX_INIT
        if self._method is None or self.keys is not None or payload[0] != expected:
            raise _failed(f"message {payload[0]} does not belong here")
        reader = Reader(payload)
        reader.u8()
        if self._client:
            self._on_reply(reader, self._method)
        else:
            self._on_public(reader, self._method)

    def on_new_keys(self) -> Keys:
        """Take the peer's NEWKEYS: what it sends next is protected with these keys."""
        if self.keys is None:
            raise _failed("new keys before there are any")
        return self.keys

    def _on_public(self, reader: Reader, method: KexMethod) -> None:
        assert self._choice is not None
        initial = bytes(reader.string())
        reader.check_end()
        algorithm = self._choice.host_key
        host_key = next(key for key in self._host_keys if algorithm in key.algorithms)
        reply, secret = method.answer(initial)
        exchange_hash = self._hash(method, host_key.blob, initial, reply, secret)
        self._send(
            bytes((numbers.KEX_REPLY,))
            + string(host_key.blob)
            + string(reply)
            + string(host_key.sign(algorithm, exchange_hash))
        )
        self._complete(method, secret, exchange_hash)

    def _on_reply(self, reader: Reader, method: KexMethod) -> None:
        assert self._choice is not None
        blob, reply, signature = (bytes(reader.string()) for _ in range(3))
        reader.check_end()
        if self._expected_host_key is not None and not hmac.compare_digest(blob, self._expected_host_key):
            raise RemoteProtocolError("the server's host key is another one", numbers.HOST_KEY_NOT_VERIFIABLE)
        secret = method.finish(reply)
        exchange_hash = self._hash(method, blob, self._public, reply, secret)
        verify(blob, self._choice.host_key, signature, exchange_hash)
        self._complete(method, secret, exchange_hash)

    def _hash(self, method: KexMethod, blob: bytes, initial: bytes, reply: bytes, secret: bytes) -> bytes:
        """H: both identifications, both KEXINITs, the host key, both public values, the secret."""
        ours = (self._identification, self._our_init)
        theirs = (self._peer_identification, self._peer_init)
        client, server = (ours, theirs) if self._client else (theirs, ours)
        parts = (client[0], server[0], client[1], server[1], blob, initial, reply)
        return method.digest(b"".join(map(string, parts)) + secret)

    def _complete(self, method: KexMethod, secret: bytes, exchange_hash: bytes) -> None:
        assert self._choice is not None
        self._session_id = self._session_id or exchange_hash
        self.keys = Keys(method, self._choice, self._client, secret, exchange_hash, self._session_id)
        self._new_keys(self.keys)


def _failed(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, numbers.KEY_EXCHANGE_FAILED)
