"""The transport machine of SSH-2 (RFC 4253), for either side: bytes in, bytes out, no I/O.

A connection goes through it like this:

    identification ── KEXINIT ── key exchange ── NEWKEYS ──► ready ──► messages ─┐
                          ▲                                                      │
                          └───────── re-exchange, either side, any time ─────────┘

`receive` takes what arrived and says how much of it was used; the caller presents the rest again, in front of
what comes next, so that nothing is buffered twice. Payloads go to a table of 256 handlers. `send` seals
payloads into an output list which `take_output` empties; `wake` is called when there is something to take.

While a key exchange of ours is under way, messages of the upper layers wait (RFC 4253 §7.1) and `pause(True)`
tells the connection layer to hold bulk data back.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh import numbers
from headrace.ssh.algorithms import PLAIN, KexInit, Offer
from headrace.ssh.clear import ClearInput, Veil, clear_packet
from headrace.ssh.host_keys import HostKey, algorithms_for
from headrace.ssh.kex_methods import supported_kex_methods
from headrace.ssh.key_exchange import KeyExchange, Keys
from headrace.ssh.protection import MAX_OVERHEAD, Opener, Sealer
from headrace.ssh.wire import Reader, string, u32

__all__ = ["Handler", "Role", "Transport", "TransportConfig"]

Handler = Callable[[memoryview], None]

#: Bytes in one direction after which the keys are replaced (RFC 4253 §9). A packet has at least 32 bytes, so
#: that the limit of 2^31 packets (RFC 4344 §3.1) cannot be reached before it.
REKEY_BYTES: Final = 1 << 30
#: Most that may wait for a key exchange to end; a peer that never finishes one must not fill our memory.
MAX_HELD: Final = 1 << 20
#: What keeping a message costs besides its bytes: small ones must not make the list much longer than that.
HELD_COST: Final = 32


class Role(Enum):
    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """What one side brings to a connection."""

    role: Role
    identification: bytes
    offer: Offer = PLAIN
    host_keys: tuple[HostKey, ...] = ()  #: server: at least one
    expected_host_key: bytes | None = None  #: client: the only public key blob to accept
    rekey_bytes: int = REKEY_BYTES
    #: Server under obfuscation: see the client's algorithms before naming ours, so that a cipher that shows
    #: packet lengths is offered only to a client that has no other.
    hide_lengths: bool = False


class Transport:
    """One side of one connection. Set `ready`, `disconnected` and `pause` before the first `receive`."""

    def __init__(
        self,
        config: TransportConfig,
        rng: Rng,
        wake: Callable[[], None],
        veil: Veil | None = None,
    ) -> None:
        self.config = config
        self.client = config.role is Role.CLIENT
        self.pending = 0  #: bytes sealed and not yet taken
        #: What ended the connection outside `receive`, which raises it at its next call.
        self.failure: RemoteProtocolError | None = None
        self.session_id = b""
        self.peer_identification: bytes | None = None
        self.ready: Callable[[], None] = _nothing  #: keys are in use in both directions, first time
        self.disconnected: Callable[[int, str], None] = _nothing  #: the peer said goodbye, and why
        self.pause: Callable[[bool], None] = _nothing  #: a key exchange begins or ends
        self._rng = rng
        self._wake = wake
        self._veil = veil
        self._offer = _usable(config)
        self._output: list[bytes | memoryview] = []
        self._clear: ClearInput | None = ClearInput(veil)
        self._opener: Opener | None = None
        self._sealer: Sealer | None = None
        self._clear_sent = 0  # packets sent before our first NEWKEYS
        self._need = 0  # size of the packet that `receive` waits for, 0 while unknown
        self._exchange: KeyExchange | None = None
        self._strict = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._holding = False
        self._in_bytes = self._out_bytes = 0  # since the last NEWKEYS, either way
        self._closed = False
        self.table: list[Handler] = [self._unimplemented] * 256
        self._install()
        self._dispatch = self.table  # another one between the peer's KEXINIT and its NEWKEYS

    # ---- set-up -------------------------------------------------------------------------------------

    def _install(self) -> None:
        table = self.table
        table[numbers.DISCONNECT] = self._on_disconnect
        table[numbers.IGNORE] = table[numbers.DEBUG] = table[numbers.UNIMPLEMENTED] = _nothing
        table[numbers.EXT_INFO] = _nothing
        table[numbers.KEXINIT] = self._on_kexinit
        for number in (numbers.NEWKEYS, *range(30, 50)):
            table[number] = self._on_key_exchange

    def start(self) -> None:
        """Send our identification and, unless the peer's offer must be seen first, our KEXINIT."""
        self._put_clear(self.config.identification + b"\r\n")
        if not self.config.hide_lengths:
            self._begin_exchange()
        self._wake()

    # ---- receiving ----------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> int:
        """Take what arrived; return how many bytes were used. The rest must come again, with more behind it.

        Raises RemoteProtocolError; the connection is unusable then.
        """
        if self._closed:
            return len(data)
        position = self._receive_clear(data) if self._clear else 0
        size = len(data)
        while (opener := self._opener) is not None and not self._closed:
            need = self._need
            if not need:
                if size - position < 4:
                    break
                need = self._need = opener.length(data[position : position + 4])
            if size - position < need:
                break
            body = opener.open(data[position : position + need])
            position += need
            self._need = 0
            self._in_bytes += need
            padding = body[0]
            end = len(body) - padding
            if padding < 4 or end < 2:
                raise RemoteProtocolError(f"padding length {padding} does not fit the packet")
            self._dispatch[body[1]](memoryview(body)[1:end])
        if self.failure is not None:
            raise self.failure
        if self._in_bytes > self.config.rekey_bytes:
            self.rekey()
        return size if self._closed else position

    def _receive_clear(self, data: memoryview) -> int:
        clear = self._clear
        assert clear is not None
        clear.feed(data)
        if self.peer_identification is None:
            line = clear.identification(lines_before=self.client)
            if line is None:
                return len(data)
            self.peer_identification = line
        while self._clear and not self._closed and (payload := clear.payload()) is not None:
            self._dispatch_clear(payload)
        return len(data) - clear.leftover if self._clear is None else len(data)

    def _dispatch_clear(self, payload: bytes) -> None:
        number = payload[0]
        exchange = self._exchange
        if number >= 50 or number in (numbers.SERVICE_REQUEST, numbers.SERVICE_ACCEPT):
            raise RemoteProtocolError(f"message {number} before the keys are exchanged")
        # Strict key exchange: anything that is no part of the exchange could hide a removed packet (OpenSSH
        # PROTOCOL §1.10). Whether it is strict shows in the peer's KEXINIT, which must then be its first.
        if number not in _EXCHANGE_NUMBERS and (number > 4 or (exchange is not None and exchange.strict)):
            raise RemoteProtocolError(f"message {number} in the middle of the first key exchange")
        self.table[number](memoryview(payload))

    # ---- sending ------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        """Seal one payload, or keep it until the key exchange under way is over."""
        if self._holding and (payload[0] >= 50 or payload[0] in (5, 6)):
            self._held_bytes += len(payload) + HELD_COST
            if self._held_bytes <= MAX_HELD:
                self._held.append(payload)
            elif self.failure is None:
                self.failure = RemoteProtocolError("the peer asks for too much during a key exchange")
                self._wake()
            return
        self._put(payload)
        self._wake()
        if self._out_bytes > self.config.rekey_bytes:
            self.rekey()

    def send_from(self, scratch: memoryview, start: int, end: int, limit: int, header: bytes) -> None:
        """Seal scratch[start:end] in pieces of at most `limit` bytes, each as `header`, length, piece.

        The scratch buffer is written to around the data: HEADROOM + len(header) + 4 bytes before `start`,
        TAILROOM bytes after `end`. For bulk data, which the caller holds back during a key exchange.
        """
        sealer = self._sealer
        if self._closed:
            return
        if sealer is None or self._holding:
            raise LocalProtocolError("bulk data during a key exchange")
        head = len(header) + 4
        pieces = -(-(end - start) // limit)
        out = memoryview(bytearray(end - start + pieces * (head + MAX_OVERHEAD)))
        used = 0
        while start < end:
            stop = min(end, start + limit)
            begin = start - head
            scratch[begin : start - 4] = header
            scratch[start - 4 : start] = (stop - start).to_bytes(4, "big")
            used += sealer.seal_into(scratch, begin, stop, out[used:], stop == end)
            start = stop
        self._output.append(out[:used])
        self.pending += used
        self._out_bytes += used
        self._wake()
        if self._out_bytes > self.config.rekey_bytes:
            self.rekey()

    def take_output(self) -> list[bytes | memoryview]:
        """Return everything to be written, in order, and forget it."""
        output, self._output, self.pending = self._output, [], 0
        return output

    def _put(self, payload: bytes) -> None:
        if self._closed:
            return
        sealer = self._sealer
        if sealer is None:
            self._put_clear(clear_packet(payload, self._rng, self._veil))
            self._clear_sent += 1
            return
        packet = sealer.seal(payload)
        self._output.append(packet)
        self.pending += len(packet)
        self._out_bytes += len(packet)

    def _put_clear(self, data: bytes) -> None:
        if self._veil:
            data = self._veil.hide(data)
        self._output.append(data)
        self.pending += len(data)

    # ---- key exchange -------------------------------------------------------------------------------

    @property
    def veiled(self) -> bool:
        """Whether an obfuscation layer still lies over the connection."""
        return self._veil is not None

    @property
    def holding(self) -> bool:
        """Whether a key exchange is under way and bulk data must wait, as `pause` tells when it changes."""
        return self._holding

    def rekey(self) -> None:
        """Replace the keys of both directions, once there are any, unless that is under way already."""
        if self.session_id and self._exchange is None and not self._closed:
            self._begin_exchange()

    def _begin_exchange(self) -> KeyExchange:
        config = self.config
        self._exchange = exchange = KeyExchange(
            client=self.client,
            identification=config.identification,
            session_id=self.session_id,
            strict=self._strict,
            send=self._send_exchange,
            new_keys=self._seal_with,
            host_keys=config.host_keys,
            expected_host_key=config.expected_host_key,
        )
        if self.session_id:
            self._holding = True
            self.pause(True)
        exchange.offer(self._offer, self._rng)
        return exchange

    def _send_exchange(self, payload: bytes) -> None:
        self._put(payload)
        self._wake()

    def _on_kexinit(self, payload: memoryview) -> None:
        message = bytes(payload)
        exchange = self._exchange
        if exchange is None:
            if self.config.hide_lengths and not self.session_id:
                self._offer = self._offer.hiding_lengths_from(KexInit.parse(message))
            exchange = self._begin_exchange()
        exchange.on_init(message, self.peer_identification or b"")
        if exchange.strict and self._clear and self._clear.sequence != 1:
            raise RemoteProtocolError("a message before the first of a strict key exchange")
        # From here to its NEWKEYS the peer may send nothing of the upper layers either (RFC 4253 §7.1).
        self._dispatch = [*self.table[:50], *[_out_of_place] * 206]
        self._dispatch[numbers.SERVICE_REQUEST] = self._dispatch[numbers.SERVICE_ACCEPT] = _out_of_place

    def _on_key_exchange(self, payload: memoryview) -> None:
        exchange = self._exchange
        if exchange is None:
            raise RemoteProtocolError(f"message {payload[0]} outside a key exchange")
        if payload[0] != numbers.NEWKEYS:
            exchange.on_message(bytes(payload))
            return
        Reader(payload[1:]).check_end()
        keys = exchange.on_new_keys()
        self._opener = keys.opener(0 if exchange.strict else self._received)
        self._clear = None
        self._dispatch = self.table
        self._in_bytes = 0
        self._exchange = None
        self._strict = exchange.strict
        self._finish_exchange(keys)

    def _seal_with(self, keys: Keys) -> None:
        """Our side of the exchange is complete: say so, and seal with the new keys from here on."""
        exchange = self._exchange
        assert exchange is not None
        self._put(bytes((numbers.NEWKEYS,)))
        sent = self._sealer.sequence if self._sealer else self._clear_sent
        self._sealer = keys.sealer(0 if exchange.strict else sent)
        self._out_bytes = 0
        self._wake()

    def _finish_exchange(self, keys: Keys) -> None:
        """Both directions use new keys: let the upper layers go on."""
        if not self.session_id:
            self.session_id = keys.session_id
            self._veil = None
            self.ready()
            return
        held, self._held, self._held_bytes = self._held, [], 0
        self._holding = False
        for payload in held:
            self._put(payload)
        self._wake()
        self.pause(False)

    @property
    def _received(self) -> int:
        """Packets received with the current keys, or since the start where the numbers go on."""
        if self._opener:
            return self._opener.sequence
        return self._clear.sequence if self._clear else 0

    # ---- the rest of the transport layer ------------------------------------------------------------

    def disconnect(self, code: int, text: str) -> None:
        """Tell the peer why we leave; nothing is received or sent after it."""
        if not self._closed:
            message = bytes((numbers.DISCONNECT,)) + u32(code) + string(text.encode()) + string(b"")
            self._put(message)
            self._closed = True
            self._wake()

    def _on_disconnect(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        code = reader.u32()
        text = str(bytes(reader.string()), "utf-8", "replace")
        self._closed = True
        self.disconnected(code, text)

    def _unimplemented(self, payload: memoryview) -> None:
        self._put(bytes((numbers.UNIMPLEMENTED,)) + u32(self._received - 1 & 0xFFFFFFFF))
        self._wake()


_EXCHANGE_NUMBERS = frozenset((numbers.DISCONNECT, numbers.KEXINIT, numbers.NEWKEYS, *range(30, 50)))


def _usable(config: TransportConfig) -> Offer:
    """Leave out of an offer what the library, or our host keys, cannot do."""
    if config.role is Role.SERVER:
        ours = frozenset(name for key in config.host_keys for name in key.algorithms)
    elif config.expected_host_key is not None:
        ours = frozenset(algorithms_for(config.expected_host_key))
    else:
        ours = frozenset(config.offer.host_keys)
    return _within(config.offer, supported_kex_methods(), ours)


@functools.lru_cache(maxsize=64)  # the same for one connection after the other
def _within(offer: Offer, kex: frozenset[str], host_keys: frozenset[str]) -> Offer:
    return replace(
        offer,
        kex=tuple(name for name in offer.kex if name in kex),
        host_keys=tuple(name for name in offer.host_keys if name in host_keys),
    )


def _out_of_place(payload: memoryview) -> None:
    raise RemoteProtocolError(f"message {payload[0]} in the middle of a key exchange")


def _nothing(*_args: object) -> None:
    """Do nothing: the handler of what may be ignored."""
