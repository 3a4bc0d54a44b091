import h11
import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.obfuscation.framing import LAST_CHUNK, Deframer, frame

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_chunk() -> None:
    assert frame([b"ab", memoryview(b"cde"), b"f" * 250]) == b"ff\r\nabcde" + b"f" * 250 + b"\r\n"


def test_the_body_is_one_to_others_too() -> None:
    server = h11.Connection(h11.SERVER)
    server.receive_data(HEAD + frame([b"\r\n0\r\n\r\n"]) + frame([bytes(70_000)]) + LAST_CHUNK)
    assert isinstance(server.next_event(), h11.Request)
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert body == b"\r\n0\r\n\r\n" + bytes(70_000)
    assert isinstance(event, h11.EndOfMessage)
    assert not event.headers


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks_are_taken_apart_wherever_they_are_cut(step: int) -> None:
    stream = frame([b"one"]) + frame([bytes(300)]) + frame([b"\r\n"]) + LAST_CHUNK
    deframer = Deframer()
    found = b"".join(deframer.receive(stream[at : at + step]) for at in range(0, len(stream), step))
    assert found == b"one" + bytes(300) + b"\r\n"
    assert deframer.ended


def test_inside_a_chunk() -> None:
    deframer = Deframer(inside=True)
    assert deframer.receive(b"\r\n3\r\nabc\r\n") == b"abc"
    assert not deframer.ended
    assert deframer.receive(LAST_CHUNK) == b""
    assert deframer.ended


def test_in_place_behind_what_is_kept() -> None:
    buffer = bytearray(b"kept" + frame([b"one"]) + frame([b"two"]) + b"not read")
    end = Deframer().strip(memoryview(buffer), 4, len(buffer) - 8)
    assert buffer[:end] == b"keptonetwo"
    assert buffer.endswith(b"not read")


def test_a_size_takes_no_memory_and_the_largest_is_a_size() -> None:
    assert Deframer().receive(b"ffffffff\r\nabc") == b"abc"


@pytest.mark.parametrize(
    "stream",
    [
        b"no chunk at all",
        b"A\r\n" + bytes(10) + b"\r\n",  # digits are small
        b"03\r\nabc\r\n    ",
        b"3;extension=1\r\nabc\r\n",
        b"3 \r\nabc\r\n     ",
        b"+3\r\nabc\r\n     ",
        b"-3\r\nabc\r\n     ",
        b"0x3\r\nabc\r\n    ",
        b"3\nabc\r\n       ",
        b"\r\n3\r\nabc\r\n   ",
        b"100000000\r\nabc",
        b"0\r\nTrailer: 1\r\n\r\n",
        b"00\r\n\r\n      ",
        b"3\r\nabcd\r\n1\r\n       ",
        b"3\r\nabc\n\n1\r\n         ",
    ],
)
def test_what_is_no_chunk(stream: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="malformed chunk"):
        Deframer().receive(stream)
    deframer = Deframer()
    with pytest.raises(RemoteProtocolError, match="malformed chunk"):
        for at in range(len(stream)):
            deframer.receive(stream[at : at + 1])


def test_nothing_stands_behind_the_last_chunk() -> None:
    deframer = Deframer()
    deframer.receive(LAST_CHUNK)
    assert deframer.receive(b"") == b""
    with pytest.raises(RemoteProtocolError, match="behind the last chunk"):
        deframer.receive(b"G")
