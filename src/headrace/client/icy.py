"""SHOUTcast streams: HTTP/1.0 in all but the first line, which says `ICY 200 OK` (client spec §2.4)."""

from typing import Final

from headrace.net.http import Connector
from headrace.net.streams import ByteStream

__all__ = ["IcyConnector"]

_ICY: Final = b"ICY "


class IcyConnector:
    """Connects as `connect` does, to servers that may speak ICY; `spoken` says whether the last one did."""

    def __init__(self, connect: Connector) -> None:
        self._connect = connect
        self._stream: _IcyStream | None = None

    @property
    def spoken(self) -> bool:
        return self._stream is not None and self._stream.spoken

    async def __call__(self, host: str, port: int, timeout: float) -> ByteStream:
        self._stream = _IcyStream(await self._connect(host, port, timeout))
        return self._stream


class _IcyStream(ByteStream):
    """Another stream, whose first word is HTTP/1.0 if it was ICY."""

    def __init__(self, inner: ByteStream) -> None:
        super().__init__()
        self._inner = inner
        self._begun = False
        self.spoken = False

    async def read(self, most: int = 1 << 30) -> bytes:
        if self._begun:
            return await self._inner.read(most)
        self._begun = True
        word = b""
        while _ICY.startswith(word) and word != _ICY:
            piece = await self._inner.read(len(_ICY) - len(word))
            if not piece:
                break
            word += piece
        self.spoken = word == _ICY
        return b"HTTP/1.0 " if self.spoken else word

    async def write(self, data: bytes) -> None:
        await self._inner.write(data)

    def write_eof(self) -> None:
        self._inner.write_eof()

    def close(self) -> None:
        self._inner.close()

    @property
    def quiet(self) -> bool:
        return self._inner.quiet

    def _hold(self) -> None:
        """The stream below holds itself."""

    def _release(self) -> None:
        """Nothing was held."""
