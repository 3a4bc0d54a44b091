"""The page with the server's metrics, on loopback: for Prometheus, and for whoever asks how the server is.

GET /metrics    the figures, in OpenMetrics' or Prometheus' own form, as asked for
GET /healthz    200 as long as there is a worker
GET /readyz     200 as long as one of them takes new connections
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11

from headrace.base.errors import OperatorError
from headrace.server.stats.metrics import metrics
from headrace.server.stats.snapshot import Snapshot

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["MetricsPage"]

#: Seconds for a request and its answer, and bytes that the request's head may have.
PATIENCE: Final = 15.0
MAX_HEAD: Final = 8 * 1024
_PLAIN: Final = "text/plain; charset=utf-8"


class MetricsPage:
    """`snapshot` returns the figures; groups of fewer clients than `least` are shown together."""

    def __init__(self, snapshot: Callable[[], Awaitable[Snapshot]], least: int) -> None:
        self._snapshot = snapshot
        self._least = least

    async def serve(self, host: str, port: int) -> None:
        """Serve until cancelled. Raises OperatorError if the port cannot be had."""
        server = await self.listen(host, port)
        async with server:
            await server.serve_forever()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Return the listening server, on loopback. Raises OperatorError if the port cannot be had."""
        if not ipaddress.ip_address(host).is_loopback:
            raise OperatorError(f"MetricsAddress: {host} is not a loopback address")
        try:
            return await asyncio.start_server(self.connected, host, port, limit=MAX_HEAD)
        except OSError as error:
            raise OperatorError(f"MetricsAddress: {host}:{port} cannot be had: {error.strerror}") from error

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, and close it."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._converse(reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever asked has gone, or never finished asking
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; then the connection ends."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        try:
            while (event := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(await reader.read(MAX_HEAD))
        except h11.RemoteProtocolError:
            return
        if not isinstance(event, h11.Request):
            return
        status, kind, body = await self._answer(event)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Connection", "close")]
        for part in (
            h11.Response(status_code=status, reason=status.phrase, headers=headers),
            h11.Data(data=b"" if event.method == b"HEAD" else body),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(part) or b"")
        await writer.drain()

    async def _answer(self, request: h11.Request) -> tuple[HTTPStatus, str, bytes]:
        if request.method not in (b"GET", b"HEAD"):
            return _status(HTTPStatus.METHOD_NOT_ALLOWED)
        path = request.target.partition(b"?")[0]
        if path not in (b"/metrics", b"/healthz", b"/readyz"):
            return _status(HTTPStatus.NOT_FOUND)
        snapshot = await self._snapshot()
        if path == b"/metrics":
            accepted = dict(request.headers).get(b"accept", b"").decode("ascii", "replace")
            return self.metrics(snapshot, accepted)
        well = snapshot.workers if path == b"/healthz" else snapshot.accepting
        return _status(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)

    def metrics(self, snapshot: Snapshot, accepted: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, type and content of the figures, in a form that is accepted."""
        from prometheus_client import CollectorRegistry  # slow to import, and few servers show a page
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(snapshot, self._least))
        encode, kind = choose_encoder(accepted)
        return HTTPStatus.OK, kind, encode(registry)


class _Collector:
    """What prometheus_client asks for metrics."""

    def __init__(self, snapshot: Snapshot, least: int) -> None:
        self._snapshot = snapshot
        self._least = least

    def collect(self) -> "Iterator[Metric]":
        return metrics(self._snapshot, self._least)


def _status(status: HTTPStatus) -> tuple[HTTPStatus, str, bytes]:
    return status, _PLAIN, f"{status.phrase}\n".encode()
