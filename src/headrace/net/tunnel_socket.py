"""The socket under a tunnel, for either side: joins a TCP connection, the tunnel protocol's layer and SSH.

    TCP ◄──► layer (only until it is through) ◄──► ssh.Transport ──► its channels' endpoints

All connections of a thread receive into one buffer. What is left of a packet is kept per connection and
copied to the front for the next read.

A layer may have all that follows it framed as the body of an HTTP message. Then each flush is one chunk, and
the connection ends as such a message does, with the last chunk.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from headrace.base.errors import HeadraceError, NetworkError, RemoteProtocolError
from headrace.net.dial import half_close
from headrace.net.scratch import Scratch
from headrace.obfuscation.framing import LAST_CHUNK, Deframer, frame
from headrace.ssh import numbers
from headrace.ssh.clear import Veil
from headrace.ssh.protection import MAX_PACKET
from headrace.ssh.transport import Transport

__all__ = ["Layer", "Opening", "Owner", "Refusal", "TunnelSocket"]

#: Most bytes read at once, and the fewest that this may be limited to.
READ: Final = 256 * 1024
LEAST_READ: Final = 1024
_BUFFER: Final = Scratch(MAX_PACKET + 256 + READ)
#: Sealed bytes that are written at once; fewer wait for the end of the loop's round and go out together.
FLUSH_AT: Final = 16 * 1024
#: The way out is full above this many unwritten bytes, and free again below the second figure.
HIGH, LOW = 256 * 1024, 64 * 1024
#: Why the way out is blocked: the loop says it is full; we see it filling; the limit wants a rest.
_FULL, _FILLING, _RESTING = 1, 2, 4
#: Given bytes that passed and the time, how long to rest.
Limit = Callable[[int, float], float]
#: Having written so much, a tunnel waits for the loop's next round, unless it is the only one that does.
TURN: Final = 128 * 1024
#: A peer that asks and asks but never reads its answers is not read either above this many unwritten bytes.
#: Bulk data stops long before, so two honest peers cannot come to wait for each other.
STUCK: Final = 4 * 1024 * 1024
#: A server whose SSH is in the open answers what is none as the commonest server does.
_WHAT_OPENSSH_SAYS: Final = b"Invalid SSH identification string.\r\n"
#: Seconds between our FIN and the end of our patience with what the peer still sends.
FIN_GRACE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Opening:
    """The layer is through: what to write before SSH, how to veil it, and SSH bytes that came along.

    Of several segments the first is sent alone and the others `delay` seconds later. With `framing` all that
    is sent behind the segments, and received behind `leftover`, is framed.
    """

    segments: Sequence[bytes] = ()
    veil: Veil | None = None
    leftover: bytes = b""
    delay: float = 0.0
    framing: Deframer | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The layer does not recognise the peer: it gets no byte from us, whatever it sends."""

    reason: str = field(default="")


class Layer(Protocol):
    """What a tunnel protocol puts between TCP and SSH, for one connection."""

    def connected(self) -> Opening | None:
        """Return how to begin, or None to hear the peer first."""
        ...

    def receive(self, data: bytes) -> Opening | Refusal | None:
        """Take what arrived; None asks for more. Called until it gave an Opening.

        If `connected` gave one already, this one's `leftover` is all that counts.
        Raises RemoteProtocolError on a client whose server does not answer as it should.
        """
        ...


class Owner(Protocol):
    """Who a tunnel socket works for."""

    def connected(self) -> None:
        """There is a connection. Always the first call."""
        ...

    def admit(self, proceed: Callable[[], None]) -> bool:
        """Whether SSH may begin now; if not, nothing more is read until `proceed` is called."""
        ...

    def make_transport(self, wake: Callable[[], None], veil: Veil | None) -> Transport:
        """Return a fresh transport with its callbacks set."""
        ...

    def refused(self, reason: str) -> None:
        """The peer was refused in silence; the owner closes the socket when the time is up."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The connection is gone. Always the last call."""
        ...


class _Turns(threading.local):
    """Which of a thread's tunnels had the last one."""

    last = 0


_TURNS: Final = _Turns()


class TunnelSocket(asyncio.BufferedProtocol):
    """The protocol object of one tunnel's TCP connection."""

    def __init__(self, layer: Layer, owner: Owner) -> None:
        self.bytes_in = self.bytes_out = 0
        self.last_received = 0.0  #: on the loop's clock
        self.block: Callable[[bool], None] = _nothing  #: the way out is full, or free again
        self.stay: Callable[[], bool] = (
            _leave  #: whether our side stays open when the peer has closed its own
        )
        self._layer: Layer | None = layer
        self._owner = owner
        self._core: Transport | None = None
        self._tcp: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._partial = b""
        self._framing: Deframer | None = None
        self._receiving = False
        self._scheduled = False
        self._cork: asyncio.TimerHandle | None = None  # while what is behind the prefix waits
        self._limits: tuple[Limit, Limit] | None = None
        self._read_at_once = READ
        self._rests: list[asyncio.TimerHandle | None] = [None, None]  # ends of those that the limits want
        self._written = 0  # since its last turn was over
        self._blocked = 0  # reasons why nothing more should be sealed at the moment
        self._waiting = False  # not reading, because SSH may not begin yet
        self._resting = False  # not reading, because of the limit
        self._stuck = False  # not reading, because the peer does not read
        self._discarding = False
        self._error: Exception | None = None

    # ---- asyncio's side -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        self._tcp.set_write_buffer_limits(HIGH, LOW)
        self.last_received = self._loop.time()
        self._owner.connected()
        if self._layer is not None and (opening := self._layer.connected()) is not None:
            self._begin(opening)

    def get_buffer(self, sizehint: int) -> memoryview:
        kept = len(self._partial)
        buffer = _BUFFER.view
        buffer[:kept] = self._partial
        return buffer[kept : kept + self._read_at_once]

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes_in += nbytes
        self.last_received = now = self._loop.time()
        if nbytes == READ:  # there is more: let the others have their turn first
            self._pause_reading()
            self._loop.call_soon(self._resume_reading)
        if self._discarding:
            return
        kept = len(self._partial)
        self._partial = b""
        self._take(_BUFFER.view[: kept + nbytes], kept)
        assert self._tcp is not None
        if self._tcp.get_write_buffer_size() > STUCK and not self._stuck:
            self._stuck = True
            self._pause_reading()
        if self._limits is not None:
            self._rest_from_reading(self._limits[0](nbytes, now))

    def _rest_from_reading(self, delay: float) -> None:
        if delay > 0 and not self._resting:
            self._resting = True
            self._pause_reading()
            self._rests[0] = self._loop.call_later(delay, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._resume_reading()

    def _pause_reading(self) -> None:
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.pause_reading()

    def _resume_reading(self) -> None:
        waits = self._waiting or self._resting or self._stuck
        if not waits and self._tcp is not None and not self._tcp.is_closing():
            self._tcp.resume_reading()

    def eof_received(self) -> bool:
        return self.stay()  # a tunnel has no half-open state

    def pause_writing(self) -> None:
        self._set_blocked(_FULL, True)

    def resume_writing(self) -> None:
        self._set_blocked(_FULL, False)
        if self._stuck:
            self._stuck = False
            self._resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._discarding = True
        self._core = self._layer = None
        if self._cork is not None:
            self._cork.cancel()
        error = self._error
        if error is None and exc is not None:
            error = NetworkError("the connection broke")
        self._owner.lost(error)

    # ---- receiving ------------------------------------------------------------------------------------

    def _take(self, data: memoryview, kept: int) -> None:
        """Pass on what has come; the first `kept` bytes came before, and are not framed any more."""
        self._receiving = True
        try:
            if self._layer is not None:
                data = self._through_layer(self._layer, data)
            elif self._framing is not None:
                data = data[: self._framing.strip(data, kept, len(data))]
            if len(data) and self._core is not None:
                used = self._core.receive(data)
                if used < len(data):
                    self._partial = bytes(data[used:])
        except RemoteProtocolError as error:
            self._fail(error)
        finally:
            self._receiving = False
        self._flush()
        if self._framing is not None and self._framing.ended and not self._discarding:
            self.disconnect()  # SSH is over too: channels must not go on sealing for a peer that stays

    def _through_layer(self, layer: Layer, data: memoryview) -> memoryview:
        answer = layer.receive(bytes(data))
        if isinstance(answer, Refusal):
            self._refuse(answer.reason)
        elif answer is not None:
            self._layer = None
            if self._core is None and not self._begin(answer):
                return memoryview(b"")
            return memoryview(answer.leftover)
        return memoryview(b"")

    def _begin(self, opening: Opening) -> bool:
        """Start SSH, or stop reading until the owner has a place for us."""
        if self._owner.admit(lambda: self._proceed(opening)):
            self._start(opening)
            return True
        assert self._tcp is not None
        self._waiting = True
        self._tcp.pause_reading()
        return False

    def _proceed(self, opening: Opening) -> None:
        if self._discarding or self._tcp is None or self._tcp.is_closing():
            return
        self._waiting = False
        self._tcp.resume_reading()
        self._start(opening)
        if opening.leftover:
            self._take(memoryview(opening.leftover), len(opening.leftover))
        else:
            self._flush()

    def _start(self, opening: Opening) -> None:
        self._framing = opening.framing
        self._core = self._owner.make_transport(self._wake, opening.veil)
        if opening.segments:
            self._write(opening.segments[0])
        if len(opening.segments) > 1:
            rest = b"".join(opening.segments[1:])
            self._cork = self._loop.call_later(opening.delay, self._uncork, rest)
        self._core.start()

    def _uncork(self, rest: bytes) -> None:
        self._cork = None
        if self._tcp is not None and not self._tcp.is_closing():
            self._write(rest)
            self._flush()

    def _fail(self, error: RemoteProtocolError) -> None:
        """The peer broke the protocol: say so where that tells a stranger nothing, else fall silent."""
        self._error = error
        core = self._core
        if core is None:
            self.abort(error)
        elif core.veiled and not core.client:
            self._refuse(str(error))
        elif core.peer_identification is None and not core.client:
            self._write(_WHAT_OPENSSH_SAYS)
            self.close()
        else:
            # Before there are keys our words would be read by whoever asks: they say no more than the code.
            core.disconnect(error.code, str(error) if core.session_id else "")
            self._flush()
            self.close()

    def _refuse(self, reason: str) -> None:
        self._discarding = True
        self._core = self._layer = None
        self._owner.refused(reason)

    # ---- sending --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        core = self._core
        if self._cork or core is None:
            return
        if core.failure is not None and not self._receiving:
            self._loop.call_soon(self._fail, core.failure)
        elif core.pending >= FLUSH_AT:
            self._flush()
        elif not (self._scheduled or self._receiving):
            self._scheduled = True
            self._loop.call_soon(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = False
        self._flush()

    def _flush(self) -> None:
        core, tcp = self._core, self._tcp
        if core is None or tcp is None or self._cork or self._discarding or not core.pending:
            return
        size = core.pending
        small = size < FLUSH_AT
        output = core.take_output()
        if self._framing is not None:
            output = [frame(output)]
        elif small and len(output) > 1:
            output = [b"".join(output)]
        for piece in output:
            self._write(piece)
        if self._limits is not None:
            self._rest_from_writing(self._limits[1](size, self._loop.time()))
        # Do not wait for pause_writing: uvloop writes at the end of its round, until when every channel
        # could pour a whole window into the buffer.
        if not self._blocked and (self._had_its_turn(size) or tcp.get_write_buffer_size() > HIGH):
            self._set_blocked(_FILLING, True)
            self._loop.call_soon(self._look_again)

    def _had_its_turn(self, size: int) -> bool:
        """Whether another tunnel comes first now. The kernel may take megabytes of many channels at once."""
        self._written += size
        if self._written < TURN:
            return False
        self._written = 0
        before, _TURNS.last = _TURNS.last, id(self)
        return before != id(self)

    def _rest_from_writing(self, delay: float) -> None:
        if delay > 0 and not self._blocked & _RESTING:
            self._set_blocked(_RESTING, True)
            self._rests[1] = self._loop.call_later(delay, self._set_blocked, _RESTING, False)

    def _write(self, data: bytes | memoryview) -> None:
        tcp = self._tcp
        # A dial that is cancelled may leave a transport that is closed and does not say so (uvloop).
        if tcp is not None and not self._discarding and not tcp.is_closing():
            self.bytes_out += len(data)
            tcp.write(data)

    def _look_again(self) -> None:
        """After blocking early: free the way if the loop has written enough or blocks it itself by now."""
        tcp = self._tcp
        if tcp is None or tcp.is_closing():
            return
        if self._blocked & _FULL or tcp.get_write_buffer_size() <= HIGH:
            self._set_blocked(_FILLING, False)
        else:
            self._loop.call_soon(self._look_again)

    def _set_blocked(self, reason: int, blocked: bool) -> None:
        before = self._blocked
        self._blocked = before | reason if blocked else before & ~reason
        if bool(before) != bool(self._blocked):
            self.block(bool(self._blocked))

    def limit(self, limits: tuple[Limit, Limit] | None, read_at_once: int = 0) -> None:
        """Slow down, in and out, by these limits instead of those before; None: go as fast as can be.

        At most `read_at_once` bytes are read at a time (0: many). A limit that is told of no bytes says how
        long the rest that it wanted before goes on.
        """
        self._limits = limits
        self._read_at_once = min(max(read_at_once, LEAST_READ), READ) if read_at_once else READ
        for rest in self._rests:
            if rest is not None:
                rest.cancel()
        if self._resting:
            self._rested()
        self._set_blocked(_RESTING, False)
        if limits is not None:
            now = self._loop.time()
            self._rest_from_reading(limits[0](0, now))
            self._rest_from_writing(limits[1](0, now))

    # ---- closing --------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether there has been a connection: `Owner.lost` will be, or was, called."""
        return self._tcp is not None

    @property
    def resting(self) -> bool:
        """Whether we are not reading, so that the peer's silence means nothing."""
        return self._resting or self._stuck

    @property
    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        sealed = self._core.pending if self._core is not None else 0
        return sealed + (self._tcp.get_write_buffer_size() if self._tcp is not None else 0)

    @property
    def peer_address(self) -> str:
        """The peer's IP address; it must not leave this process's memory."""
        name = self._tcp.get_extra_info("peername") if self._tcp is not None else None
        return str(name[0]) if name else ""

    @property
    def peer(self) -> str:
        """The peer's IP address with its port: for the peer itself and nobody else."""
        name = self._tcp.get_extra_info("peername") if self._tcp is not None else None
        if not name:
            return ""
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    # ---- another owner --------------------------------------------------------------------------------

    def hold(self) -> bool:
        """Read nothing for now: it is not clear whose connection this is. Return False if it is over."""
        if self._discarding:
            return False
        self._waiting = True
        self._pause_reading()
        return True

    def take_back(self, refusal: Refusal | None) -> None:
        """Go on after `hold`: it is ours, or nobody's if it is to be refused."""
        if self._discarding:
            return
        self._waiting = False
        self._resume_reading()
        if refusal is not None:
            self._refuse(refusal.reason)

    def hand_over(self, protocol: asyncio.BaseProtocol) -> bool:
        """Put `protocol` in charge of the connection after `hold`; return whether there is one still.

        Whose socket this was hears no more of it.
        """
        tcp = self._tcp
        if self._discarding or tcp is None or tcp.is_closing():
            return False
        self._discarding = True
        self._tcp = self._layer = None
        tcp.set_protocol(protocol)
        protocol.connection_made(tcp)
        tcp.resume_reading()
        return True

    def disconnect(self, text: str = "") -> None:
        """Leave politely: say goodbye if SSH is up, write what is pending, close."""
        if self._core is not None:
            self._core.disconnect(numbers.BY_APPLICATION, text)
            self._flush()
        self.close()

    def finish(self, grace: float = FIN_GRACE) -> None:
        """Send FIN and read on for `grace` seconds, so that no unread bytes make a RST of the end."""
        self._discarding = True
        self._core = self._layer = None
        tcp = self._tcp
        if tcp is None or tcp.is_closing():
            return
        if self._waiting or self._resting or self._stuck:
            self._waiting = self._resting = self._stuck = False
            tcp.resume_reading()  # what stays unread makes a RST of the end
        half_close(tcp)
        self._loop.call_later(grace, self._end, tcp)

    @staticmethod
    def _end(tcp: asyncio.Transport) -> None:
        """Close, without waiting for a peer that takes nothing."""
        if tcp.get_write_buffer_size():
            tcp.abort()
        else:
            tcp.close()

    def leave(self, error: HeadraceError) -> None:
        """The peer said goodbye: drop the connection, but no message in the middle."""
        if self._framing is None:
            self.abort(error)
        else:
            self._error = self._error or error
            self.close()

    def close(self) -> None:
        """Close after writing what is pending."""
        if self._framing is not None and not self._discarding:
            self._write(LAST_CHUNK)
            self.finish()  # the peer's message may not be over yet
            return
        self._discarding = True
        if self._tcp is not None:
            self._tcp.close()

    def abort(self, error: HeadraceError | None = None) -> None:
        """Drop the connection at once."""
        self._error = self._error or error
        self._discarding = True
        if self._tcp is not None:
            self._tcp.abort()


def _nothing(blocked: bool) -> None:
    """Nobody sends in bulk yet."""


def _leave() -> bool:
    """Close when the peer does."""
    return False
