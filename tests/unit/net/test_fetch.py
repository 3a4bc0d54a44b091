"""Downloads that are cut, starved, flooded, lied to and killed: they go on, or say why not."""

import asyncio
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import HANGS, Network, settle
from tests.web_server import Answer, Asked, StoredFile, Then, WebServer, response, serve

from headrace.base.errors import DocumentError, HeadraceError, NetworkError, OperatorError
from headrace.net import http_transport
from headrace.net.fetch import Download, DownloadFailed, resume_download
from headrace.net.http import HttpClient, direct
from headrace.testing.censor import CLOSE, RESET, Censor, Rule
from headrace.testing.origin import payload

assert http_transport  # loaded here: on virtual time there is no waiting for a thread

URL = "http://list.example/web/abcd-efgh-ijkl/server_list_compressed"
PLACE = ("list.example", 80)
BODY = payload(5000)
ETAG = '"e1"'


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list"


def files(file: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def part(file: Path, data: bytes, etag: str = ETAG) -> None:
    """Leave a partial download."""
    file.with_name("list.part").write_bytes(data)
    file.with_name("list.part.etag").write_bytes(etag.encode("latin-1"))


async def fetch(file: Path, url: str = URL, **options: Any) -> Download:
    async with HttpClient(direct) as client:
        return await resume_download(
            client, url, file, **{"user_agent": "test/1", "timeout": 30.0, **options}
        )


def at(network: Network, answer: Callable[[Asked], Answer]) -> WebServer:
    server = WebServer(answer)
    network.places[PLACE] = server
    return server


def says(data: bytes, then: Then = Then.CLOSE) -> Callable[[Asked], Answer]:
    return lambda asked: Answer(data, then)


# ---- cuts -------------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
@pytest.mark.parametrize("body", [b"x", b"hello world"])
async def test_a_response_cut_at_every_byte(network: Network, file: Path, body: bytes) -> None:
    stored = StoredFile(body)
    whole = stored(Asked("GET", "/", [])).data
    for cut in range(len(whole)):
        answers = iter([Answer(whole[:cut], Then.CLOSE)])
        server = at(network, lambda asked, answers=answers: next(answers, None) or stored(asked))  # type: ignore[misc]
        with (
            pytest.raises(DownloadFailed, match="cut short") if body or cut else pytest.raises(DownloadFailed)
        ):
            await fetch(file)
        kept = max(0, len(body) - (len(whole) - cut))
        assert files(file).get("list.part", b"") == body[:kept]
        assert (await fetch(file)).bytes_received == len(body) - kept
        assert files(file) == {"list": body}
        assert [asked.start for asked in server.asked] == [0, kept]
        file.unlink()
        await settle()
    assert network.open == []


@pytest.mark.virtual_time
@pytest.mark.parametrize("framing", ["chunked", "until close"])
async def test_a_response_without_a_length_cut_at_every_byte(
    network: Network, file: Path, framing: str
) -> None:
    """Content-Range tells where a body ends whose end is the connection's."""
    body = b"hello world"
    head = b'HTTP/1.1 206 OK\r\nETag: "e1"\r\n'
    if framing == "chunked":
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    else:
        whole = head + b"Content-Range: bytes 0-10/11\r\n\r\n" + body
    stored = StoredFile(body)
    for cut in range(len(whole)):
        answers = iter([Answer(whole[:cut], Then.CLOSE)])
        at(network, lambda asked, answers=answers: next(answers, None) or stored(asked))  # type: ignore[misc]
        with pytest.raises(DownloadFailed):
            await fetch(file)
        assert body.startswith(files(file)["list.part"])
        await fetch(file)
        assert files(file) == {"list": body}
        file.unlink()


@pytest.mark.both_loops
async def test_fifty_cuts_and_hardly_a_byte_twice(file: Path) -> None:
    rng = random.Random(50)
    body = payload(3_000_000)
    stored = StoredFile(body)
    rules = [Rule(rng.choice([RESET, CLOSE]), down=rng.randint(1, 100_000)) for _ in range(50)]
    attempts, received = 0, 0
    async with serve(WebServer(stored)) as port, Censor(port, rules=rules) as censor:
        while not file.exists():
            attempts += 1
            try:
                received += (await fetch(file, f"http://127.0.0.1:{censor.port}/list")).bytes_received
            except DownloadFailed as error:
                received += error.bytes_received
    assert file.read_bytes() == body
    assert 25 < attempts <= 51
    assert received == len(body)  # what arrived was kept
    assert censor.down <= 1.01 * len(body) + attempts * 300  # what was sent, heads included


async def test_killed_at_any_moment(file: Path) -> None:
    """A process that ends without a word leaves what the next one goes on with."""
    program = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from headrace.net.fetch import resume_download\nfrom headrace.net.http import HttpClient, direct\n"
        "url, file, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])\n"
        "def progress(done, total):\n    if done >= most: os._exit(9)\n"
        "async def main():\n    async with HttpClient(direct) as client:\n"
        "        await resume_download(client, url, file, user_agent='x', timeout=20, progress=progress)\n"
        "asyncio.run(main())\n"
    )
    body = payload(2_000_000)
    stored = StoredFile(body)
    async with serve(WebServer(stored)) as port:
        url = f"http://127.0.0.1:{port}/list"
        for most in (1, 500_000, 1_200_000, len(body)):
            command = [sys.executable, "-c", program, url, str(file), str(most)]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30)
            assert done.returncode == 9, done.stderr
            left = files(file)
            assert set(left) == {"list.part", "list.part.etag"}
            assert len(left["list.part"]) >= most
            assert body.startswith(left["list.part"])
        last = await fetch(file, url)  # killed between the last byte and the renaming
        assert last == Download(0, ETAG)
    assert files(file) == {"list": body}


# ---- what the server says ---------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_the_request(network: Network, file: Path) -> None:
    server = at(network, StoredFile(BODY))
    await fetch(file, if_none_match='"e0"', request_headers={"X-Extra": "1"})
    part(file, BODY[:10])
    await fetch(file, if_none_match='"e0"')
    first, second = ([pair for pair in asked.headers if pair[0] != "Host"] for asked in server.asked)
    agent = ("User-Agent", "test/1")
    assert first == [agent, ("If-None-Match", '"e0"'), ("Range", "bytes=0-"), ("X-Extra", "1")]
    assert second == [agent, ("If-Match", ETAG), ("Range", "bytes=10-")]


@pytest.mark.virtual_time
@pytest.mark.parametrize("etag", ["", "\n", '"e\r\nX: y"', "x" * 2000])
async def test_an_etag_that_cannot_be_sent_is_not(network: Network, file: Path, etag: str) -> None:
    server = at(network, StoredFile(BODY))
    await fetch(file, if_none_match=etag)
    assert server.asked[0].header("If-None-Match") is None


@pytest.mark.virtual_time
@pytest.mark.parametrize("etag", ["", "\n", "\0\xff", '"e\r\nX: y"', "x" * 2000])
async def test_a_partial_file_with_garbage_for_an_etag(network: Network, file: Path, etag: str) -> None:
    server = at(network, StoredFile(BODY))
    part(file, BODY[:10], etag)
    with pytest.raises(DownloadFailed, match="lost its ETag"):
        await fetch(file)
    assert server.asked == []
    assert files(file) == {}
    await fetch(file)
    assert files(file) == {"list": BODY}


@pytest.mark.virtual_time
async def test_a_server_without_etags(network: Network, file: Path) -> None:
    at(network, says(response(206, BODY[:10], length=len(BODY))))
    with pytest.raises(DownloadFailed, match="cut short"):
        await fetch(file)
    at(network, says(response(200, BODY)))
    with pytest.raises(DownloadFailed, match="lost its ETag"):  # what there is could be of anything
        await fetch(file)
    assert await fetch(file) == Download(len(BODY), "")
    assert files(file) == {"list": BODY}


@pytest.mark.virtual_time
async def test_an_etag_too_long_to_be_sent_back(network: Network, file: Path) -> None:
    etag = '"' + "x" * 50_000 + '"'
    at(network, says(response(206, BODY[:10], [("ETag", etag)], length=len(BODY))))
    with pytest.raises(DownloadFailed):
        await fetch(file)
    assert files(file)["list.part.etag"] == b""


@pytest.mark.virtual_time
async def test_a_match_need_not_name_its_etag(network: Network, file: Path) -> None:
    """Storage services leave the ETag out of a 416, some out of a 206 as well."""
    part(file, BODY)
    at(network, says(response(416, b"<Error/>")))
    assert await fetch(file) == Download(0, ETAG)
    part(file, BODY[:10])
    at(network, says(response(206, BODY[10:20], length=len(BODY) - 10)))
    with pytest.raises(DownloadFailed):
        await fetch(file)
    assert files(file)["list.part.etag"] == ETAG.encode()
    at(network, says(response(206, BODY[20:])))
    assert await fetch(file) == Download(len(BODY) - 20, ETAG)
    assert files(file) == {"list": BODY}


@pytest.mark.virtual_time
@pytest.mark.parametrize("as_deployed", [True, False])
async def test_the_error_page_of_a_416(network: Network, file: Path, as_deployed: bool) -> None:
    part(file, BODY)
    at(network, says(response(416, b"<Error/>", [("ETag", ETAG)])))
    await fetch(file, as_deployed=as_deployed)
    assert files(file) == {"list": BODY + b"<Error/>" * as_deployed}


@pytest.mark.virtual_time
@pytest.mark.parametrize("as_deployed", [True, False])
async def test_everything_in_answer_to_a_request_for_the_rest(
    network: Network, file: Path, as_deployed: bool
) -> None:
    part(file, b"0123456789")
    at(network, says(response(200, BODY, [("ETag", '"e2"')])))
    assert await fetch(file, as_deployed=as_deployed) == Download(len(BODY), '"e2"')
    assert files(file) == {"list": b"0123456789" * as_deployed + BODY}


@pytest.mark.virtual_time
async def test_everything_cut_short_in_answer_to_a_request_for_the_rest(network: Network, file: Path) -> None:
    part(file, b"0123456789")
    at(network, says(response(200, BODY[:3], [("ETag", '"e2"')], length=len(BODY))))
    with pytest.raises(DownloadFailed):
        await fetch(file)
    assert files(file) == {"list.part": BODY[:3], "list.part.etag": b'"e2"'}


@pytest.mark.virtual_time
@pytest.mark.parametrize("status", [201, 204, 300, 305, 400, 401, 403, 404, 410, 429, 500, 503])
async def test_any_other_status_leaves_what_there_is(network: Network, file: Path, status: int) -> None:
    part(file, BODY[:10])
    before = files(file)
    at(network, says(response(status, b"" if status == 204 else b"an error page")))
    with pytest.raises(DownloadFailed, match=f"status {status}"):
        await fetch(file)
    assert files(file) == before


@pytest.mark.virtual_time
async def test_not_modified_while_there_is_a_part(network: Network, file: Path) -> None:
    part(file, BODY[:10])
    at(network, says(b'HTTP/1.1 304 Not Modified\r\nETag: "e1"\r\n\r\n'))
    assert await fetch(file) == Download(0, ETAG, modified=False)
    assert files(file) == {}


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("length", "problem"), [(len(BODY) + 1, "cut short"), (10**17, "larger than"), (-1, "not HTTP")]
)
async def test_a_length_that_is_a_lie(network: Network, file: Path, length: int, problem: str) -> None:
    at(network, says(response(206, BODY, [("ETag", ETAG)], length=length)))
    with pytest.raises(HeadraceError, match=problem):
        await fetch(file)
    assert "list" not in files(file)


@pytest.mark.virtual_time
async def test_a_length_that_is_too_small_ends_there(network: Network, file: Path) -> None:
    at(network, says(response(206, BODY, [("ETag", ETAG)], length=10)))
    assert (await fetch(file)).bytes_received == 10  # and the signature will not hold
    assert files(file) == {"list": BODY[:10]}


@pytest.mark.virtual_time
async def test_progress(network: Network, file: Path) -> None:
    told: list[tuple[int, int | None]] = []
    part(file, BODY[:1000])
    at(network, StoredFile(BODY))
    await fetch(file, progress=lambda done, total: told.append((done, total)))
    assert told[-1:] == [(len(BODY), len(BODY))]
    assert told == sorted(told)
    assert told[0][0] > 1000
    told.clear()
    at(network, says(b"HTTP/1.1 200 OK\r\n\r\n" + BODY))
    await fetch(file, progress=lambda done, total: told.append((done, total)))
    assert told[-1:] == [(len(BODY), None)]


# ---- too slow, too much -----------------------------------------------------------------------------------


@pytest.mark.virtual_time
@pytest.mark.parametrize("silent", ["nobody", "before the head", "in the head", "in the body"])
async def test_a_server_that_takes_too_long(network: Network, file: Path, silent: str) -> None:
    whole = response(206, BODY[:100], [("ETag", ETAG)], length=len(BODY))
    data = {"before the head": b"", "in the head": whole[:30], "in the body": whole}.get(silent, b"")
    at(network, says(data, Then.GO_ON))
    if silent == "nobody":
        network.places[PLACE] = HANGS
    begun = asyncio.get_running_loop().time()
    with pytest.raises(DownloadFailed, match="not complete within 10 s") as caught:
        await fetch(file, timeout=10.0)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(10, abs=0.01)
    assert caught.value.bytes_received == (100 if silent == "in the body" else 0)
    await settle()
    assert network.open == []
    at(network, StoredFile(BODY))
    await fetch(file)
    assert files(file) == {"list": BODY}


@pytest.mark.virtual_time
async def test_a_server_that_lets_bytes_drip(network: Network, file: Path) -> None:
    """It never falls silent, and yet the time is up when it is; what it gave was not in vain."""
    server = at(network, says(response(206, b"", [("ETag", ETAG)], length=len(BODY)), Then.GO_ON))

    async def drip() -> None:
        for byte in BODY:
            await asyncio.sleep(1)
            for conversation in server.open:
                conversation.tcp.write(bytes((byte,)))

    dripping = asyncio.create_task(drip())
    with pytest.raises(DownloadFailed, match="not complete within 30 s") as caught:
        await fetch(file)
    dripping.cancel()
    assert caught.value.bytes_received in (28, 29, 30)
    assert files(file)["list.part"] == BODY[: caught.value.bytes_received]


@pytest.mark.virtual_time
async def test_called_off(network: Network, file: Path) -> None:
    at(network, says(response(206, BODY[:100], [("ETag", ETAG)], length=len(BODY)), Then.GO_ON))
    fetching = asyncio.create_task(fetch(file))
    await settle()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await settle()
    assert network.open == []
    assert files(file)["list.part"] == BODY[:100]


@pytest.mark.virtual_time
@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_that_is_too_large_does_not_come_back(
    network: Network, file: Path, announced: bool
) -> None:
    head = b"Content-Length: 5000\r\n" if announced else b""
    server = at(network, says(b'HTTP/1.1 206 OK\r\nETag: "e1"\r\n' + head + b"\r\n" + BODY))
    for start in (0, 1000):
        if start:
            part(file, bytes(start))
        with pytest.raises(DocumentError, match="larger than the 4999 bytes"):
            await fetch(file, max_size=4999)
        assert server.asked[-1].start == start
        assert files(file) == {}
    assert (await fetch(file, max_size=5000)).bytes_received == 5000


@pytest.mark.virtual_time
async def test_a_body_without_an_end(network: Network, file: Path) -> None:
    """Memory and disk stay bounded, however much is sent."""
    largest = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal largest
        largest = max(largest, file.with_name("list.part").stat().st_size)
        for conversation in server.open:
            conversation.tcp.write(bytes(100_000))

    server = at(network, says(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000), Then.GO_ON))
    with pytest.raises(DocumentError, match="larger than"):
        await fetch(file, max_size=1_000_000, progress=progress)
    assert largest <= 1_000_000
    assert files(file) == {}


@pytest.mark.virtual_time
async def test_a_part_that_is_too_large_already(network: Network, file: Path) -> None:
    server = at(network, StoredFile(BODY))
    part(file, BODY)
    with pytest.raises(DocumentError, match="larger than"):
        await fetch(file, max_size=100)
    assert (server.asked, files(file)) == ([], {})


# ---- this side --------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_one_download_of_a_file_at_a_time(network: Network, file: Path) -> None:
    at(network, says(response(206, BODY[:100], [("ETag", ETAG)], length=len(BODY)), Then.GO_ON))
    first = asyncio.create_task(fetch(file))
    await settle()
    with pytest.raises(NetworkError, match="being fetched already"):
        await fetch(file)
    with pytest.raises(DownloadFailed):
        await first
    assert files(file)["list.part"] == BODY[:100]


@pytest.mark.virtual_time
async def test_a_disk_that_is_full(network: Network, file: Path) -> None:
    file.with_name("list.part").symlink_to("/dev/full")
    at(network, StoredFile(BODY))
    with pytest.raises(OperatorError, match="cannot be kept: No space left on device"):
        await fetch(file)
    await settle()
    assert network.open == []
    file.with_name("list.part").unlink()
    await fetch(file)
    assert files(file) == {"list": BODY}


@pytest.mark.virtual_time
async def test_an_old_file_stays_until_the_new_one_is_whole(network: Network, file: Path) -> None:
    file.write_bytes(b"the last one")
    at(network, says(response(206, BODY[:10], [("ETag", ETAG)], length=len(BODY))))
    with pytest.raises(DownloadFailed):
        await fetch(file)
    assert file.read_bytes() == b"the last one"
    at(network, StoredFile(BODY))
    await fetch(file)
    assert file.read_bytes() == BODY


SHOWN = re.compile(r"example|abcd|secret|\d+\.\d+\.\d+\.\d+|/")


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-secret.example\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ftp://secret.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 secret.example\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 secret.example\r\nContent-Length: 9\r\n\r\nx",
        b"HTTP/1.1 412 x\r\n\r\nsecret.example",
        None,
    ],
)
async def test_no_text_shows_where_it_was_fetched_from(
    network: Network, file: Path, data: bytes | None
) -> None:
    if data is not None:
        at(network, says(data))
    with pytest.raises(HeadraceError) as caught:
        await fetch(file)
    assert not SHOWN.search(str(caught.value)), caught.value


async def test_a_url_that_cannot_be_used(file: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        await fetch(file, "gopher://secret.example/abcd")
    assert "secret" not in str(caught.value)
