"""What a server answers to a download: any bytes end in a file or an error of ours, and in nothing else."""

import tempfile
from pathlib import Path

from headrace.base.errors import HeadraceError
from headrace.net import http_transport
from headrace.net.fetch import resume_download
from headrace.net.http import HttpClient
from headrace.net.streams import ByteStream
from headrace.testing.virtual_time import run

assert http_transport  # loaded here: on virtual time there is no waiting for a thread

SEEDS = [
    b'HTTP/1.1 206 OK\r\nETag: "e1"\r\nContent-Length: 5\r\nContent-Range: bytes 6-10/11\r\n\r\nworld',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.0 206 OK\r\nContent-Range: bytes 6-10/*\r\n\r\nworld",
    b"HTTP/1.1 416 No\r\nContent-Length: 8\r\n\r\n<Error/>",
    b'HTTP/1.1 304 Not Modified\r\nETag: W/"e1"\r\n\r\n',
    b"HTTP/1.1 302 Found\r\nLocation: http://[2001:db8::1]:81/../x?y#z\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 412 No\r\nContent-Length: 0\r\n\r\n",
]
MAX_SIZE = 64


class _Canned(ByteStream):
    """A server that says what it has to say, whatever it is asked, and hangs up."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        if data:
            self._arrived(data)
        self._finish()

    async def write(self, data: bytes) -> None:
        """Not listened to."""

    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def _hold(self) -> None: ...
    def _release(self) -> None: ...


def fuzz(data: bytes) -> None:
    """`data` is all that the server sends, on every connection."""
    run(_download(data))


async def _download(data: bytes) -> None:
    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        return _Canned(data)

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "list"
        part, etag = Path(directory) / "list.part", Path(directory) / "list.part.etag"
        part.write_bytes(b"hello ")
        etag.write_bytes(b'"e1"')
        try:
            async with HttpClient(connect) as client:
                download = await resume_download(
                    client, "http://a.example/list", file, user_agent="x", timeout=30, max_size=MAX_SIZE
                )
            assert file.exists() == download.modified
            assert not (part.exists() or etag.exists())
        except HeadraceError as error:
            assert "example" not in str(error)
            assert not file.exists()
        for path in (file, part):
            assert not path.exists() or path.stat().st_size <= MAX_SIZE
