"""Streams of servers that may speak ICY."""

import pytest

from headrace.client.icy import IcyConnector
from headrace.net.streams import ByteStream


class Scripted(ByteStream):
    """Gives the pieces that it was made of, then ends."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        for piece in pieces:
            self._arrived(piece)
        self._finish()
        self.log: list[object] = []

    async def write(self, data: bytes) -> None:
        self.log.append(data)

    def write_eof(self) -> None:
        self.log.append("eof")

    def close(self) -> None:
        self.log.append("close")

    def _hold(self) -> None:
        """Nothing to hold."""

    def _release(self) -> None:
        """Nothing was held."""


async def read_all(pieces: list[bytes]) -> tuple[bytes, bool]:
    inner = Scripted(pieces)

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        assert (host, port, timeout) == ("radio.example", 8000, 5.0)
        return inner

    connector = IcyConnector(connect)
    assert not connector.spoken
    stream = await connector("radio.example", 8000, 5.0)
    data = b""
    while piece := await stream.read():
        data += piece
    return data, connector.spoken


@pytest.mark.parametrize(
    ("said", "heard", "spoken"),
    [
        (b"ICY 200 OK\r\n\r\n\xff\xfb", b"HTTP/1.0 200 OK\r\n\r\n\xff\xfb", True),
        (b"HTTP/1.0 200 OK\r\n\r\nICY ", b"HTTP/1.0 200 OK\r\n\r\nICY ", False),
        (b"ICYcle", b"ICYcle", False),
        (b"ICY", b"ICY", False),
        (b"", b"", False),
    ],
)
async def test_only_the_first_word_changes(said: bytes, heard: bytes, spoken: bool) -> None:
    assert await read_all([said]) == (heard, spoken)
    assert await read_all([said[n : n + 1] for n in range(len(said))]) == (heard, spoken)


async def test_everything_else_is_the_other_streams() -> None:
    inner = Scripted([])

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        return inner

    stream = await IcyConnector(connect)("radio.example", 8000, 5.0)
    await stream.write(b"GET")
    stream.write_eof()
    stream.close()
    assert inner.log == [b"GET", "eof", "close"]
    assert stream.quiet == inner.quiet
