"""udpgw: UDP datagrams framed on one channel (tunnel spec §7).

     0       2       3       5            9 or 21    11 or 23
    ┌───────┬───────┬───────┬────────────┬──────────┬──────────
    │ size  │ flags │  id   │  address   │   port   │ datagram
    └───────┴───────┴───────┴────────────┴──────────┴──────────
      LE16    u8      LE16    4 or 16      BE16       up to 32,768 bytes

`size` counts what follows it. A keep-alive may stop after the id.
"""

import ipaddress
from dataclasses import dataclass

from headrace.base.errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "MAX_DATAGRAM",
    "Frame",
    "UdpgwDecoder",
    "connection_id",
    "datagram_from",
    "encode_datagram",
    "encode_frame",
    "encode_head",
    "encode_keepalive",
]

MAX_DATAGRAM = 32_768  # bytes

_KEEPALIVE, _REBIND, _DNS, _IPV6 = 1, 2, 4, 8
_HEAD = 3  # flags and id, the shortest message
_PORT = 2
_MAX_SIZE = _HEAD + 16 + _PORT + MAX_DATAGRAM


@dataclass(frozen=True, slots=True)
class Frame:
    """One datagram. `address` is 4 or 16 bytes: the destination on the way up, the sender on the way down.

    `rebind` asks to drop the older flow with this `connection_id`; `dns` to send to the server's own
    resolver.
    """

    connection_id: int
    address: bytes
    port: int
    datagram: bytes
    rebind: bool = False
    dns: bool = False

    @property
    def host(self) -> str:
        """The address as text."""
        return str(ipaddress.ip_address(self.address))


def encode_head(
    connection_id: int, address: bytes, port: int, *, rebind: bool = False, dns: bool = False
) -> bytes:
    """Return what all datagrams of a flow have between their size and themselves."""
    if len(address) not in (4, 16):
        raise LocalProtocolError(f"an address has 4 or 16 bytes, not {len(address)}")
    flags = rebind * _REBIND | dns * _DNS | (len(address) == 16) * _IPV6
    return b"".join((bytes((flags,)), connection_id.to_bytes(2, "little"), address, port.to_bytes(2, "big")))


def encode_datagram(head: bytes, datagram: bytes) -> bytes:
    """Return the message for a datagram of at most MAX_DATAGRAM bytes, with its flow's head."""
    if len(datagram) > MAX_DATAGRAM:
        raise LocalProtocolError(f"datagram of {len(datagram)} bytes; udpgw carries at most {MAX_DATAGRAM}")
    return b"".join(((len(head) + len(datagram)).to_bytes(2, "little"), head, datagram))


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of `frame`."""
    head = encode_head(frame.connection_id, frame.address, frame.port, rebind=frame.rebind, dns=frame.dns)
    return encode_datagram(head, frame.datagram)


def encode_keepalive() -> bytes:
    """Return a message that only shows that the channel is alive."""
    return bytes([_HEAD, 0, _KEEPALIVE, 0, 0])


def connection_id(message: bytes) -> int:
    """Return the id in a message without its size."""
    return int.from_bytes(message[1:_HEAD], "little")


def datagram_from(message: bytes, address: bytes, port: int) -> bytes | None:
    """Return the datagram in a message without its size, or None if it is from anybody else.

    For replies: deployed servers do not flag the longer addresses there, so one has to know what to expect.
    """
    sender = address + port.to_bytes(2, "big")
    return message[_HEAD + len(sender) :] if message.startswith(sender, _HEAD) else None


class UdpgwDecoder:
    """Cut a byte stream into messages; holds at most one that is not finished."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes | memoryview) -> list[Frame]:
        """Return the frames completed by `data`.

        Raises RemoteProtocolError on an impossible size, after which the channel is of no use.
        """
        return [_decode(message) for message in self.messages(data)]

    def messages(self, data: bytes | memoryview) -> list[bytes]:
        """Return the messages completed by `data`, without their sizes; keep-alives are swallowed.

        Raises RemoteProtocolError like `receive`.
        """
        self._buffer += data
        buffer = bytes(self._buffer)
        messages = []
        start = 0
        while len(buffer) - start >= 2:
            size = int.from_bytes(buffer[start : start + 2], "little")
            if not _HEAD <= size <= _MAX_SIZE:
                raise RemoteProtocolError(f"udpgw message of {size} bytes")
            end = start + 2 + size
            if end > len(buffer):
                break
            if not buffer[start + 2] & _KEEPALIVE:
                messages.append(buffer[start + 2 : end])
            start = end
        del self._buffer[:start]
        return messages


def _decode(message: bytes) -> Frame:
    flags = message[0]
    address_end = _HEAD + (16 if flags & _IPV6 else 4)
    datagram_start = address_end + _PORT
    if not datagram_start <= len(message) <= datagram_start + MAX_DATAGRAM:
        raise RemoteProtocolError(f"udpgw message of {len(message)} bytes with flags {flags:#04x}")
    return Frame(
        connection_id=int.from_bytes(message[1:3], "little"),
        address=message[_HEAD:address_end],
        port=int.from_bytes(message[address_end:datagram_start], "big"),
        datagram=message[datagram_start:],
        rebind=bool(flags & _REBIND),
        dns=bool(flags & _DNS),
    )
