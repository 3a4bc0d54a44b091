"""The page with the metrics: what it answers to whom."""

import asyncio

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from headrace.base.errors import OperatorError
from headrace.server.metrics_page import MAX_HEAD, MetricsPage
from headrace.server.stats.snapshot import Snapshot, client_key

SNAPSHOT = Snapshot(workers=1, accepting=1, tunnels={client_key("OSSH", "DE", "1"): 12})


async def ask(request: bytes, snapshot: Snapshot = SNAPSHOT) -> tuple[bytes, bytes]:
    """Return the head and the body of the answer."""

    async def figures() -> Snapshot:
        return snapshot

    server = await MetricsPage(figures, 10).listen("127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


async def test_prometheus_own_form() -> None:
    head, body = await ask(get("/metrics"))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"text/plain; version=0.0.4" in head
    metrics = {metric.name: metric for metric in parse_plain(body.decode())}
    (sample,) = metrics["headrace_tunnels_by_region"].samples
    assert (sample.labels, sample.value) == ({"region": "DE"}, 12.0)


async def test_openmetrics_form() -> None:
    head, body = await ask(get("/metrics?x=y", "Accept: application/openmetrics-text; version=1.0.0"))
    assert b"application/openmetrics-text" in head
    parsed = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]
    assert "headrace_tunnels" in {metric.name for metric in parsed}


@pytest.mark.parametrize(
    ("path", "snapshot", "status"),
    [
        ("/healthz", SNAPSHOT, b"200 OK"),
        ("/healthz", Snapshot(workers=1), b"200 OK"),
        ("/healthz", Snapshot(), b"503 Service Unavailable"),
        ("/readyz", SNAPSHOT, b"200 OK"),
        ("/readyz", Snapshot(workers=1), b"503 Service Unavailable"),
        ("/", SNAPSHOT, b"404 Not Found"),
        ("/metrics/..", SNAPSHOT, b"404 Not Found"),
    ],
)
async def test_other_pages(path: str, snapshot: Snapshot, status: bytes) -> None:
    head, _ = await ask(get(path), snapshot)
    assert head.startswith(b"HTTP/1.1 " + status)


async def test_a_head_without_its_body() -> None:
    head, body = await ask(get("/healthz").replace(b"GET", b"HEAD"))
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 3" in head
    assert body == b""


async def test_nothing_can_be_changed() -> None:
    head, _ = await ask(get("/metrics").replace(b"GET", b"POST"))
    assert head.startswith(b"HTTP/1.1 405")


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\r\n\r\n", b"GET /" + b"x" * (2 * MAX_HEAD), b"\x16\x03\x01" * 9]
)
async def test_garbage_has_no_answer(garbage: bytes) -> None:
    assert await ask(garbage + b"\r\n\r\n") == (b"", b"")


async def test_it_is_for_this_machine_only() -> None:
    async def figures() -> Snapshot:
        return SNAPSHOT

    with pytest.raises(OperatorError, match=r"0\.0\.0\.0 is not a loopback address"):
        await MetricsPage(figures, 10).listen("0.0.0.0", 0)


async def test_a_port_that_is_taken() -> None:
    async def figures() -> Snapshot:
        return SNAPSHOT

    page = MetricsPage(figures, 10)
    async with await page.listen("127.0.0.1", 0) as server:
        with pytest.raises(OperatorError, match="cannot be had"):
            await page.serve(*server.sockets[0].getsockname()[:2])


@pytest.mark.virtual_time
async def test_who_never_finishes_asking_is_let_go() -> None:
    page = MetricsPage(lambda: asyncio.sleep(0, SNAPSHOT), 10)
    reader = asyncio.StreamReader()
    writer = _Writer()
    conversation = asyncio.create_task(page.connected(reader, writer))  # type: ignore[arg-type]
    reader.feed_data(b"GET /metrics HTTP/1.1\r\n")
    await asyncio.sleep(60)
    assert conversation.done()
    assert writer.closed and not writer.written


class _Writer:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        """There is room."""

    def close(self) -> None:
        self.closed = True
