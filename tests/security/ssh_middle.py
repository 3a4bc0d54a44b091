"""A man in the middle of an SSH pair: sees every byte, and may change, insert and drop."""

from collections.abc import Callable

from headrace.ssh import numbers
from headrace.testing.peers import SshPair

__all__ = ["Editor", "Middle", "Tamper", "clear_packet", "split_clear"]

Tamper = Callable[[bytes], bytes]


def clear_packet(payload: bytes) -> bytes:
    """Frame a payload as before NEWKEYS, with the least padding."""
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return (1 + len(payload) + padding).to_bytes(4, "big") + bytes((padding,)) + payload + bytes(padding)


def split_clear(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Cut what one side sent into its identification line, its clear packets, and what follows NEWKEYS."""
    position = data.index(b"\n") + 1
    line = data[:position]
    packets: list[bytes] = []
    while not packets or packets[-1][5] != numbers.NEWKEYS:
        end = position + 4 + int.from_bytes(data[position : position + 4], "big")
        packets.append(data[position:end])
        position = end
    return line, packets, data[position:]


class Editor:
    """Insert a clear packet before the n-th one, and drop the first bytes behind NEWKEYS."""

    def __init__(self, insert_at: int | None = None, payload: bytes = b"", drop: int = 0) -> None:
        self._insert_at = insert_at
        self._payload = payload
        self._drop = drop
        self._in_clear = True
        self._line_seen = False
        self._packets = 0

    def __call__(self, data: bytes) -> bytes:
        out = b""
        if self._in_clear and not self._line_seen and data:
            position = data.index(b"\n") + 1
            out, data = data[:position], data[position:]
            self._line_seen = True
        while self._in_clear and data:
            end = 4 + int.from_bytes(data[:4], "big")
            packet, data = data[:end], data[end:]
            if self._packets == self._insert_at:
                out += clear_packet(self._payload)
            self._packets += 1
            self._in_clear = packet[5] != numbers.NEWKEYS
            out += packet
        dropped = min(self._drop, len(data))
        self._drop -= dropped
        return out + data[dropped:]


class Middle:
    """Carries bytes between the two sides of a pair, through one function each way."""

    def __init__(self, pair: SshPair, up: Tamper | None = None, down: Tamper | None = None) -> None:
        self.pair = pair
        self._up = up or bytes
        self._down = down or bytes

    def run(self) -> SshPair:
        """Carry until both sides are quiet; raises what the machines raise."""
        pair = self.pair
        while True:
            upward, downward = pair.client.take(), pair.server.take()
            if not upward and not downward:
                return pair
            pair.server.feed(self._up(upward))
            pair.client.feed(self._down(downward))
