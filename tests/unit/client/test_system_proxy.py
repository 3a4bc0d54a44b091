"""When the desktop's settings are changed and put back in the life of a client."""

import asyncio
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.desktop.memory_desktop import MemoryDesktop

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.client import system_proxy
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.system_proxy import offered, user_settings
from headrace.desktop.choice import OFF
from headrace.desktop.settings import MODE, Proxies

NAME = MemoryDesktop.name
PROXIES = Proxies("127.0.0.1", 8080, 1080)


class Client:
    """What a client says, and what its desktop's settings come to."""

    def __init__(self) -> None:
        self.desktop = MemoryDesktop()
        self.before = self.desktop.read()
        self._stream = io.StringIO()
        self.notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        self.stopped = asyncio.Event()

    def listen(self) -> None:
        self.notices.emit("ListeningSocksProxyPort", port=1080)
        self.notices.emit("ListeningHttpProxyPort", port=8080)
        self.notices.emit("Tunnels", count=0)

    def said(self) -> list[tuple[str, object]]:
        """Return what was said of the desktop, or as a warning."""
        notices = map(json.loads, self._stream.getvalue().splitlines())
        wanted = "SystemProxy", "SystemProxyError", "Warning"
        return [(each["noticeType"], each["data"]) for each in notices if each["noticeType"] in wanted]

    async def settled(self) -> None:
        """Wait until whatever was begun is done."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Client]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    client = Client()
    monkeypatch.setattr(system_proxy, "find_desktop", lambda name, directory: client.desktop)
    yield client
    assert user_settings().changed() is None


@pytest.mark.both_loops
async def test_from_the_first_tunnel_to_the_end(client: Client) -> None:
    async with offered(NAME, client.notices, client.stopped.set, address="0.0.0.0"):
        client.listen()
        await client.settled()
        assert client.desktop.values == client.before
        client.notices.emit("Tunnels", count=1)
        await client.settled()
        assert client.desktop.values == client.desktop.settings(PROXIES)
        client.notices.emit("Tunnels", count=0)
        client.notices.emit("Tunnels", count=1)
        await client.settled()
        assert client.desktop.values == client.desktop.settings(PROXIES)
    assert client.desktop.values == client.before
    assert client.said() == [("SystemProxy", {"desktop": NAME})]
    assert client.desktop.written == ["http", "socks", "bypass", MODE, MODE, "bypass", "socks", "http"]


async def test_an_end_in_the_middle_of_it(client: Client) -> None:
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        client.listen()
        client.notices.emit("Tunnels", count=1)
    assert client.desktop.values == client.before
    assert client.said() == []  # the last notice was given before


async def test_an_error_ends_it_too(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
            client.listen()
            client.notices.emit("Tunnels", count=1)
            await client.settled()
            raise ZeroDivisionError
    assert client.desktop.values == client.before


async def test_a_client_that_never_had_a_tunnel(client: Client) -> None:
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        client.listen()
    assert client.desktop.written == []


async def test_no_proxy_to_name(client: Client) -> None:
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        client.notices.emit("ListeningSocksProxyUnixPath", path="/run/socks")
        client.notices.emit("Tunnels", count=1)
        await client.settled()
    assert [kind for kind, _ in client.said()] == ["SystemProxyError"]
    assert client.desktop.written == []


async def test_a_desktop_that_refuses_does_not_end_the_client(client: Client) -> None:
    def refuse(name: str) -> None:
        if name == MODE:
            raise OperatorError("it is locked")

    client.desktop.before_write = refuse
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        client.listen()
        client.notices.emit("Tunnels", count=1)
        await client.settled()
        assert client.said() == [("SystemProxyError", {"message": "it is locked"})]
        assert client.desktop.values == client.before


async def test_a_desktop_that_cannot_be_had_is_told_at_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> dict[str, str | None]:
        raise OperatorError("gsettings is not installed")

    with monkeypatch.context() as patch, pytest.raises(OperatorError, match="gsettings is not installed"):
        patch.setattr(client.desktop, "read", refuse)
        async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
            pass
    with user_settings().held():
        pass


async def test_what_cannot_be_put_back_is_an_error_and_done_at_the_next_start(client: Client) -> None:
    def refuse(name: str) -> None:
        raise OperatorError("it is locked")

    with pytest.raises(OperatorError, match="it is locked"):
        async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
            client.listen()
            client.notices.emit("Tunnels", count=1)
            await client.settled()
            client.desktop.before_write = refuse
    async with offered(OFF, client.notices, client.stopped.set, address="127.0.0.1"):
        pass
    assert client.said()[1:] == [("Warning", {"message": "it is locked"})]
    client.desktop.before_write = lambda name: None
    async with offered(OFF, client.notices, client.stopped.set, address="127.0.0.1"):
        assert client.desktop.values == client.before


async def test_any_client_puts_back_what_a_killed_one_left(client: Client) -> None:
    for choice in OFF, NAME:
        with user_settings().held():
            user_settings().apply(client.desktop, PROXIES)
        async with offered(choice, client.notices, client.stopped.set, address="127.0.0.1"):
            assert client.desktop.values == client.before


async def test_two_at_once(client: Client) -> None:
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        client.listen()
        client.notices.emit("Tunnels", count=1)
        await client.settled()
        with pytest.raises(OperatorError, match="for the proxies of one client"):
            async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
                pass
        async with offered(OFF, client.notices, client.stopped.set, address="127.0.0.1"):
            pass
        assert client.desktop.values == client.desktop.settings(PROXIES)


async def test_a_user_without_a_home_who_wants_nothing_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise OperatorError("nothing says where your files are to be kept")

    with monkeypatch.context() as patch:
        patch.setattr(system_proxy, "default_data_directory", fail)
        async with offered(OFF, client.notices, client.stopped.set, address="127.0.0.1"):
            pass


@pytest.mark.both_loops
async def test_a_terminal_that_is_closed(client: Client) -> None:
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
        signal.raise_signal(signal.SIGHUP)
        await client.stopped.wait()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


async def test_a_closed_terminal_that_is_not_to_matter(client: Client) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with offered(NAME, client.notices, client.stopped.set, address="127.0.0.1"):
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0)
        assert not client.stopped.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
