"""`headrace lists fetch`, against a web server in a thread of its own, on loopback."""

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.package_keys import KEY, new_key
from tests.unit.cli.running import Outcome, entry, run, signed
from tests.web_server import Answer, Asked, StoredFile, Then, WebServer, response, serve

from headrace.documents.signed_package import make_package

PACKAGE = make_package("\n".join(signed(number) for number in range(1, 100)), KEY)
ETAG = f'"{hashlib.md5(PACKAGE).hexdigest()}"'
PUBLIC = KEY.public.to_text()


class Served:
    """A web server that runs while a command does."""

    def __init__(self) -> None:
        self.web = WebServer(StoredFile(PACKAGE, ETAG))
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with serve(self.web) as self.port:
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> "Served":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/web/server_list_compressed"


@pytest.fixture
def server() -> Iterator[Served]:
    with Served() as served:
        yield served


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.cli.lists_fetch._PAUSE", 0.0)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "got"


def fetch(server: Served, out: object, *options: object) -> Outcome:
    return run("lists", "fetch", server.url, "--public-key", PUBLIC, "--output", out, *options)


def left(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


def test_a_list_is_written_once_it_is_verified(server: Served, out: Path) -> None:
    outcome = fetch(server, out)
    assert outcome.code == 0
    assert out.read_bytes() == PACKAGE
    assert outcome.lines == [
        f"{out}: list of 99 entries, 0 without a signature of their own",
        f"signed with the key whose digest is {KEY.digest}",
    ]
    assert left(out) == ["got"]


def test_it_asks_as_clients_do(server: Served, out: Path) -> None:
    fetch(server, out)
    (asked,) = server.web.asked
    names = [name for name, _ in asked.headers]
    assert sorted(names) == ["Host", "Range", "User-Agent"]
    agent = asked.header("User-Agent")
    assert agent is not None
    assert agent.startswith("psiphon-tunnel-core/0 (")


def test_for_programs(server: Served, out: Path) -> None:
    told = json.loads(fetch(server, out, "--json").out)
    assert told == {
        "file": str(out),
        "kind": "list",
        "signedBy": KEY.digest,
        "entries": 99,
        "unsigned": 0,
        "problems": [],
        "moreProblems": 0,
        "modified": True,
        "bytesReceived": len(PACKAGE),
        "etag": ETAG,
    }


def test_what_is_there_already_is_not_transferred(server: Served, out: Path) -> None:
    out.write_bytes(PACKAGE)
    outcome = fetch(server, out)
    assert (outcome.code, outcome.out) == (0, f"{out}: unchanged\n")
    assert json.loads(fetch(server, out, "--json").out) == {
        "file": str(out),
        "modified": False,
        "bytesReceived": 0,
        "etag": ETAG,
    }
    assert [asked.header("If-None-Match") for asked in server.web.asked] == [ETAG, ETAG]
    assert left(out) == ["got"]


def test_on_standard_output(server: Served, tmp_path: Path) -> None:
    package = make_package(signed(1), KEY, compress=False)
    server.web.answer = StoredFile(package)
    outcome = fetch(server, "-")
    assert outcome.out.encode() == package
    assert "list of 1 entry" in outcome.err
    assert [*tmp_path.iterdir()] == []


def cut(at: int) -> Callable[[Asked], Answer]:
    """Give `at` bytes and break off."""
    stored = StoredFile(PACKAGE, ETAG)

    def answer(asked: Asked) -> Answer:
        whole = stored(asked).data
        end = whole.index(b"\r\n\r\n") + 4 + at
        return Answer(whole[:end], Then.CLOSE) if end < len(whole) else Answer(whole)

    return answer


def test_attempts_go_on_where_the_last_one_stopped(server: Served, out: Path) -> None:
    server.web.answer = cut(at=len(PACKAGE) // 3 + 1)
    outcome = fetch(server, out)
    assert outcome.code == 0
    assert out.read_bytes() == PACKAGE
    assert [line[:16] for line in outcome.err.splitlines()] == ["attempt 1 of 5: ", "attempt 2 of 5: "]
    starts = [asked.start for asked in server.web.asked]
    assert starts == [0, len(PACKAGE) // 3 + 1, 2 * (len(PACKAGE) // 3 + 1)]


def test_so_does_another_run(server: Served, out: Path) -> None:
    server.web.answer = cut(at=1000)
    outcome = fetch(server, out, "--attempts", 1)
    assert outcome.code == 1
    assert "run this again to go on where it stopped" in outcome.complaint
    assert left(out) == ["got.unverified.part", "got.unverified.part.etag"]
    server.web.answer = StoredFile(PACKAGE, ETAG)
    assert fetch(server, out).code == 0
    assert [asked.start for asked in server.web.asked] == [0, 1000]
    assert left(out) == ["got"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (make_package(entry(1), new_key()), "signed with another key"),
        (PACKAGE[:-1], "cut short"),
        (b"<html>Please log in", "not a package"),
    ],
    ids=["key", "cut", "portal"],
)
def test_what_nobody_signed_is_not_kept(data: bytes, told: str, server: Served, out: Path) -> None:
    out.write_bytes(b"before")
    server.web.answer = StoredFile(data)
    outcome = fetch(server, out)
    assert outcome.code == 1
    assert told in outcome.complaint
    assert out.read_bytes() == b"before"
    assert left(out) == ["got"]


def test_a_server_that_has_no_list(server: Served, out: Path) -> None:
    server.web.answer = lambda asked: Answer(response(404, b"no"))
    outcome = fetch(server, out, "--attempts", 2)
    assert outcome.code == 1
    assert "status 404" in outcome.complaint
    assert len(server.web.asked) == 2
    assert "127.0.0.1" not in outcome.complaint
    assert "run this again" in outcome.complaint
    assert "run this again" not in fetch(server, "-").complaint  # nothing of it is kept


def test_a_list_with_mistakes_in_it_is_written_and_told(server: Served, out: Path) -> None:
    server.web.answer = StoredFile(make_package("zz", KEY))
    outcome = fetch(server, out)
    assert outcome.code == 1
    assert "not hexadecimal" in outcome.out
    assert out.exists()


def test_a_directory_that_does_not_exist(server: Served, out: Path) -> None:
    assert "make it first" in fetch(server, out / "got").complaint
    assert server.web.asked == []


# ---- configurations


def config(directory: Path, **fields: Any) -> Path:
    path = directory / "client.config"
    path.write_text(json.dumps({"RemoteServerListSignaturePublicKey": PUBLIC, **fields}))
    return path


def encoded(url: str) -> str:
    return base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize("legacy", [False, True])
def test_where_a_configuration_says(legacy: bool, server: Served, out: Path, tmp_path: Path) -> None:
    where = (
        {"RemoteServerListUrl": server.url}
        if legacy
        else {"RemoteServerListURLs": [{"URL": encoded(server.url), "OnlyAfterAttempts": 0}]}
    )
    path = config(tmp_path, **where, ClientVersion="77", ClientPlatform="Test")
    assert run("lists", "fetch", "--config", path, "--output", out).code == 0
    assert server.web.asked[0].header("User-Agent") == "psiphon-tunnel-core/77 (Test)"


def test_alternatives_are_tried_when_their_turn_comes(server: Served, out: Path, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(response(403)) if asked.target == "/first" else StoredFile(PACKAGE)(asked)

    server.web.answer = answer
    base = server.url.partition("/web")[0]
    urls = [
        {"URL": encoded(f"{base}/first")},
        {"URL": encoded(f"{base}/second"), "OnlyAfterAttempts": 2},
    ]
    path = config(tmp_path, RemoteServerListURLs=urls)
    assert run("lists", "fetch", "--config", path, "--output", out, "--attempts", 50).code == 0
    targets = [asked.target for asked in server.web.asked]
    assert targets[:2] == ["/first", "/first"]
    assert targets[-1] == "/second"


@pytest.mark.parametrize("by_config", [False, True])
def test_through_an_upstream_proxy(by_config: bool, server: Served, out: Path, tmp_path: Path) -> None:
    """The web server is asked to CONNECT, so it must be the proxy: what it says to that is an error."""
    proxy = f"http://127.0.0.1:{server.port}"
    server.web.answer = lambda asked: Answer(response(403))
    path = config(tmp_path, **({"UpstreamProxyURL": proxy} if by_config else {}))
    options = [] if by_config else ["--upstream-proxy", proxy]
    url = "http://storage.invalid/list"
    outcome = run("lists", "fetch", url, "--config", path, "--output", out, "--attempts", 1, *options)
    assert outcome.code == 1
    assert [(asked.method, asked.target) for asked in server.web.asked] == [("CONNECT", "storage.invalid:80")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["http://127.0.0.1/"], "--public-key"),
        (["--public-key", PUBLIC], "RemoteServerListURLs"),
        (["ftp://x/", "--public-key", PUBLIC], "http://"),
        (["http://x/", "--public-key", PUBLIC, "--upstream-proxy", "ftp://secret@x"], "--upstream-proxy"),
        (["http://x/", "--public-key", "nonsense"], "--public-key"),
    ],
    ids=["key", "url", "scheme", "proxy", "bad key"],
)
def test_what_cannot_be(words: list[str], told: str, out: Path) -> None:
    outcome = run("lists", "fetch", *words, "--output", out)
    assert outcome.code == 2
    assert told in outcome.complaint
    assert "secret" not in outcome.complaint


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "RemoteServerListURLs"),
        ({"RemoteServerListURLs": [{"URL": "?"}]}, "RemoteServerListURLs[0]"),
        ({"RemoteServerListURLs": [{"URL": "", "OnlyAfterAttempts": 1}]}, "OnlyAfterAttempts"),
        ({"RemoteServerListURLs": 5}, "expected a list"),
        ({"RemoteServerListSignaturePublicKey": ""}, "has no RemoteServerListSignaturePublicKey"),
    ],
    ids=str,
)
def test_configurations_that_do_not_say_where(
    fields: dict[str, Any], told: str, out: Path, tmp_path: Path
) -> None:
    path = config(tmp_path, **fields)
    outcome = run("lists", "fetch", "--config", path, "--output", out)
    assert outcome.code == 2
    assert told in outcome.complaint
    assert str(path) in outcome.complaint or fields == {}
