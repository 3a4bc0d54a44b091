"""The unprotected beginning: whole, byte by byte, with trailing data, and everything that is refused."""

import pytest
from tests.unit.ssh.tools import refused

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.clear import MAX_CLEAR_PACKET, MAX_LINE, MAX_LINES, ClearInput, clear_packet


class Mask:
    """A veil that flips bits by position, so that a byte revealed twice or left out shows."""

    def __init__(self, extra: int = 0) -> None:
        self.extra = extra
        self.learnt = b""
        self._hidden = self._revealed = 0

    def _apply(self, data: bytes | memoryview, start: int) -> bytes:
        return bytes(byte ^ (start + place) * 7 & 0xFF for place, byte in enumerate(bytes(data)))

    def hide(self, data: bytes) -> bytes:
        self._hidden += len(data)
        return self._apply(data, self._hidden - len(data))

    def reveal(self, data: bytes | memoryview) -> bytes:
        self._revealed += len(data)
        return self._apply(data, self._revealed - len(data))

    def extra_padding(self, padding: int) -> int:
        return self.extra

    def peer_identification(self, line: bytes) -> None:
        self.learnt = line


def packet(payload: bytes, padding: int = 4) -> bytes:
    return (1 + len(payload) + padding).to_bytes(4, "big") + bytes((padding,)) + payload + bytes(padding)


# ---- identification -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"SSH-2.0-x\r\n", b"SSH-2.0-x\n", b"SSH-1.99-x y z\r\n", b"SSH-2.0-\r\n"])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_identification(line: bytes, step: int) -> None:
    clear = ClearInput(None)
    data = line + b"trailing"
    found = None
    for start in range(0, len(data), step):
        assert found is None or start >= len(line)
        clear.feed(data[start : start + step])
        found = found or clear.identification(lines_before=False)
    assert found == line.rstrip(b"\r\n")
    assert clear.leftover == len(b"trailing")


def test_lines_before_a_servers_identification() -> None:
    clear = ClearInput(None)
    clear.feed(b"hello\r\n\r\n\xff\x00binary\nSSH-2.0-server\r\n")
    assert clear.identification(lines_before=True) == b"SSH-2.0-server"


def test_lines_before_a_clients_identification_are_refused() -> None:
    clear = ClearInput(None)
    clear.feed(b"GET / HTTP/1.1\r\n")
    with refused(8):
        clear.identification(lines_before=False)


@pytest.mark.parametrize("line", [b"SSH-1.5-old\n", b"SSH-3.0-new\n", b"SSH-\n"])
def test_other_versions_are_refused(line: bytes) -> None:
    clear = ClearInput(None)
    clear.feed(line)
    with refused(8):
        clear.identification(lines_before=True)


def test_a_line_just_short_enough() -> None:
    clear = ClearInput(None)
    clear.feed(b"SSH-2.0-".ljust(MAX_LINE - 1, b"x") + b"\n")
    assert clear.identification(lines_before=False)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_too_long(end: bytes) -> None:
    clear = ClearInput(None)
    clear.feed(b"x" * MAX_LINE + end)
    with refused(2, "too long"):
        clear.identification(lines_before=True)


@pytest.mark.parametrize("line", [b"\n", b"x" * 500 + b"\r\n"])
def test_endless_lines(line: bytes) -> None:
    clear = ClearInput(None)
    with refused(2, "too many lines"):
        for _ in range(MAX_LINES + 1):
            clear.feed(line)
            assert clear.identification(lines_before=True) is None
            assert clear.leftover == 0


# ---- packets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_packets(step: int) -> None:
    clear = ClearInput(None)
    payloads = [b"\x14first", b"\x15", b"x" * 300]
    data = b"".join(packet(payload, 4 + number) for number, payload in enumerate(payloads)) + b"behind"
    found: list[bytes] = []
    for start in range(0, len(data), step):
        clear.feed(data[start : start + step])
        while len(found) < 3 and (payload := clear.payload()) is not None:
            found.append(payload)
    assert found == payloads
    assert clear.sequence == 3
    assert clear.leftover == len(b"behind")


@pytest.mark.parametrize("length", [0, 1, 5, MAX_CLEAR_PACKET + 1, 0xFFFFFFFF])
def test_packet_lengths_out_of_bounds(length: int) -> None:
    clear = ClearInput(None)
    clear.feed(length.to_bytes(4, "big"))
    with refused(2, f"packet length {length}"):
        clear.payload()


@pytest.mark.parametrize("padding", [0, 3, 6, 7, 255])
def test_padding_that_does_not_fit(padding: int) -> None:
    clear = ClearInput(None)
    clear.feed((7).to_bytes(4, "big") + bytes((padding,)) + bytes(6))
    with refused(2, f"padding length {padding}"):
        clear.payload()


def test_the_shortest_packet() -> None:
    clear = ClearInput(None)
    clear.feed(packet(b"\x15"))
    assert clear.payload() == b"\x15"
    assert clear.payload() is None


@pytest.mark.parametrize("size", [1, 2, 6, 7, 8, 100])
@pytest.mark.parametrize("extra", [0, 1, 16, 236])
def test_what_is_framed_is_read_back(size: int, extra: int) -> None:
    veil = Mask(extra)
    framed = clear_packet(bytes(size), SeededRng(1), veil if extra else None)
    assert extra or len(framed) % 8 == 0
    clear = ClearInput(None)
    clear.feed(framed)
    assert clear.payload() == bytes(size)
    assert clear.leftover == 0


# ---- under a veil ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_veil_lies_over_lines_and_packets_but_not_over_what_follows(step: int) -> None:
    sender, receiver = Mask(), Mask()
    veiled = sender.hide(b"noise\r\nSSH-2.0-x\r\n" + packet(b"\x14init") + packet(b"\x15"))
    data = veiled + b"protected"
    clear = ClearInput(receiver)
    found: list[bytes] = []
    line = None
    for start in range(0, len(data), step):
        clear.feed(data[start : start + step])
        line = line or clear.identification(lines_before=True)
        while line and len(found) < 2 and (payload := clear.payload()) is not None:
            found.append(payload)
        if len(found) == 2:
            assert data[: start + step][-clear.leftover or len(data) :] == b"protected"[: clear.leftover]
    assert found == [b"\x14init", b"\x15"]
    assert receiver.learnt == b"SSH-2.0-x"


def test_memory_stays_bounded() -> None:
    """Whatever is fed, no more is kept than one packet and what has not been looked at."""
    clear = ClearInput(None)
    for _ in range(200):
        clear.feed(packet(b"\x02" + bytes(1000)))
        assert clear.payload() is not None
    assert clear.leftover == 0
    clear.feed(b"")
    assert len(clear._raw) == len(clear._clear) == 0
    with pytest.raises(RemoteProtocolError):
        clear.feed(b"\xff" * 100)
        clear.payload()
