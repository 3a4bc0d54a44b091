"""Name resolution: with a name server in the test's hands, and with a real one on loopback."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import run
from typing import cast

import pytest

from headrace.base.errors import ConnectTimeout, NameNotFound, NetworkError
from headrace.net import resolve
from headrace.net.resolve import ABSENT_AGE, MAX_KEPT, Answer, Resolver, system_name_servers


@dataclass
class Now:
    seconds: float = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return self.seconds


@dataclass
class Scripted:
    """A backend that answers from a table, when it is let."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def query(self, name: str) -> list[Answer]:
        self.asked.append(name)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if name in self.answers:
            return self.answers[name]
        if name in self.missing:
            raise NameNotFound("the name does not exist")
        raise NetworkError("the name server cannot be used")

    async def close(self) -> None:
        self.closed = True


def resolver(backend: Scripted, clock: Now | None = None, timeout: float = 5.0) -> Resolver:
    return Resolver(clock=clock or Now(), backend=lambda: backend, timeout=timeout)


@pytest.mark.parametrize("literal", ["192.0.2.1", "2001:db8::1", "::FFFF:192.0.2.1"])
async def test_literals_need_no_query(literal: str) -> None:
    backend = Scripted()
    assert await resolver(backend).lookup(literal) == [literal]
    assert backend.asked == []


async def test_ipv4_comes_first_and_duplicates_go() -> None:
    table = [("2001:db8::1", 9), ("192.0.2.2", 9), ("2001:db8::2", 9), ("192.0.2.1", 9), ("192.0.2.2", 9)]
    found = await resolver(Scripted({"a.example": table})).lookup("a.example")
    assert found == ["192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2"]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("A.Example", "a.example"),
        ("a.example.", "a.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_sip._tcp.example", "_sip._tcp.example"),
        ("localhost", "localhost"),
    ],
)
async def test_names_are_asked_for_in_one_form(written: str, asked: str) -> None:
    backend = Scripted({asked: [("192.0.2.1", 9)]})
    assert await resolver(backend).lookup(written) == ["192.0.2.1"]
    assert backend.asked == [asked]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..b",
        ".a",
        "-a.example",
        "a b",
        "a\0b",
        "a\n",
        "a/b",
        "a@b",
        "fe80::1%lo",
        "[::1]",
        "x" * 64,
        "é" * 64,
        "a." * 127 + "aa",
        "a" * 1_000_000,
        "é" * 1_000_000,
        "\ud800.example",
    ],
)
async def test_what_cannot_be_a_name_is_not_asked_for(name: str) -> None:
    backend = Scripted()
    with pytest.raises(NetworkError, match=r"^the name does not exist$"):
        await resolver(backend).lookup(name)
    assert backend.asked == []


async def test_no_address_is_an_error() -> None:
    with pytest.raises(NetworkError, match="no address"):
        await resolver(Scripted({"a.example": []})).lookup("a.example")


@pytest.mark.parametrize(("ttl", "kept"), [(0, 1.0), (30, 30.0), (3600, 60.0)])
async def test_answers_are_kept_as_long_as_they_say_within_bounds(ttl: int, kept: float) -> None:
    backend, clock = Scripted({"a.example": [("192.0.2.1", ttl), ("192.0.2.2", 9999)]}), Now()
    names = resolver(backend, clock)
    await names.lookup("a.example")
    clock.seconds += kept - 0.01
    assert await names.lookup("A.example") == ["192.0.2.1", "192.0.2.2"]
    assert len(backend.asked) == 1
    clock.seconds += 0.02
    await names.lookup("a.example")
    assert len(backend.asked) == 2


async def test_a_caller_cannot_change_what_others_get() -> None:
    names = resolver(Scripted({"a.example": [("192.0.2.1", 9)]}))
    (await names.lookup("a.example")).append("198.51.100.1")
    (await names.lookup("a.example")).append("198.51.100.2")
    assert await names.lookup("a.example") == ["192.0.2.1"]


async def test_failures_are_not_kept() -> None:
    backend = Scripted()
    names = resolver(backend)
    for _ in range(2):
        with pytest.raises(NetworkError):
            await names.lookup("a.example")
    assert len(backend.asked) == 2


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "MAX_KEPT", 2)
    backend = Scripted({name: [("192.0.2.1", 9)] for name in "abc"})
    names = resolver(backend)
    for name in "abc":
        await names.lookup(name)
    await names.lookup("c")
    await names.lookup("b")
    assert backend.asked == ["a", "b", "c"]
    await names.lookup("a")
    assert backend.asked == ["a", "b", "c", "a"]


async def test_those_who_ask_at_once_share_a_look_up_even_if_one_leaves() -> None:
    backend = Scripted({"a.example": [("192.0.2.1", 9)]}, gate=asyncio.Event())
    names = resolver(backend)
    callers = [asyncio.create_task(names.lookup("a.example")) for _ in range(3)]
    await backend.reached.wait()
    callers[0].cancel()
    await asyncio.sleep(0)
    assert backend.gate is not None
    backend.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [["192.0.2.1"], ["192.0.2.1"]]
    assert backend.asked == ["a.example"]


async def test_a_failure_nobody_waits_for_is_no_noise() -> None:
    backend = Scripted(gate=asyncio.Event())
    names = resolver(backend)
    caller = asyncio.create_task(names.lookup("a.example"))
    await backend.reached.wait()
    caller.cancel()
    assert backend.gate is not None
    backend.gate.set()
    await asyncio.gather(caller, return_exceptions=True)
    await names.close()


async def test_a_look_up_takes_only_so_long() -> None:
    with pytest.raises(NetworkError, match="timed out") as failure:
        await resolver(Scripted(gate=asyncio.Event()), timeout=0).lookup("a.example")
    assert "a.example" not in str(failure.value)


async def test_closing_ends_look_ups() -> None:
    backend = Scripted(gate=asyncio.Event())
    names = resolver(backend)
    caller = asyncio.create_task(names.lookup("a.example"))
    await backend.reached.wait()
    await names.close()
    assert backend.closed
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_closing_before_anything_was_asked() -> None:
    backend = Scripted()
    await resolver(backend).close()
    assert not backend.closed


def test_aiodns_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, headrace.net.resolve; assert not {'aiodns', 'pycares'} & sys.modules.keys()"
    source = str(Path(resolve.__file__).parents[2])
    run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": source}, timeout=30)


async def test_that_there_is_no_such_name_is_kept_for_a_moment() -> None:
    backend, clock = Scripted(missing={"a.example"}), Now()
    names = resolver(backend, clock)
    for _ in range(3):
        with pytest.raises(NameNotFound):
            await names.lookup("a.example")
    clock.seconds += ABSENT_AGE - 0.1
    with pytest.raises(NameNotFound):
        await names.lookup("A.example")
    assert backend.asked == ["a.example"]
    clock.seconds += 0.2
    backend.answers["a.example"] = [("192.0.2.1", 9)]
    assert await names.lookup("a.example") == ["192.0.2.1"]


async def test_a_failure_is_not_kept() -> None:
    backend = Scripted()
    names = resolver(backend)
    with pytest.raises(NetworkError):
        await names.lookup("a.example")
    backend.answers["a.example"] = [("192.0.2.1", 9)]
    assert await names.lookup("a.example") == ["192.0.2.1"]


async def test_memory_for_names_that_do_not_exist_is_bounded() -> None:
    clock = Now()
    backend = Scripted(missing={f"{number}.example" for number in range(MAX_KEPT + 9)})
    names = resolver(backend, clock)
    for name in backend.missing:
        with pytest.raises(NameNotFound):
            await names.lookup(name)
    assert len(names._kept) == MAX_KEPT


async def test_look_ups_are_told_of() -> None:
    told: list[tuple[str, float]] = []
    clock = Now()

    class Slow(Scripted):
        async def query(self, name: str) -> list[Answer]:
            clock.seconds += 0.5
            return await super().query(name)

    backend = Slow({"a.example": [("192.0.2.1", 9)]}, missing={"b.example"})
    names = Resolver(clock=clock, backend=lambda: backend, tell=lambda *what: told.append(what))
    for name in ("a.example", "a.example", "b.example", "b.example", "c.example", "192.0.2.1"):
        with contextlib.suppress(NetworkError):
            await names.lookup(name)
    assert told == [("answered", 0.5), ("cached", 0), ("answered", 0.5), ("cached", 0), ("failed", 0.5)]


async def test_after_a_change_of_name_servers_all_is_asked_anew() -> None:
    old, new = Scripted({"a.example": [("192.0.2.1", 60)]}), Scripted({"a.example": [("192.0.2.2", 60)]})
    backends = iter([old, new])
    names = Resolver(clock=Now(), backend=lambda: next(backends))
    await names.renew()  # there is nothing yet to be renewed
    assert await names.lookup("a.example") == ["192.0.2.1"]
    old.gate, old.reached = asyncio.Event(), asyncio.Event()
    old.answers["b.example"] = [("192.0.2.3", 60)]
    under_way = asyncio.ensure_future(names.lookup("b.example"))
    await old.reached.wait()
    renewal = asyncio.ensure_future(names.renew())
    await asyncio.sleep(0)
    assert await names.lookup("a.example") == ["192.0.2.2"]
    assert not old.closed
    old.gate.set()
    assert await under_way == ["192.0.2.3"]
    await renewal
    assert (old.closed, new.closed) == (True, False)


async def test_the_hosts_file_is_read() -> None:
    names = Resolver(["127.0.0.1"])
    try:
        assert "127.0.0.1" in await names.lookup("localhost")
    finally:
        await names.close()


async def test_without_c_ares_the_system_resolves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "aiodns", None)
    names = Resolver()
    assert "127.0.0.1" in await names.lookup("localhost")
    assert "c-ares cannot start" in caplog.text
    await names.close()


async def test_errors_of_the_systems_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setitem(sys.modules, "aiodns", None)
    for number, text in ((socket.EAI_NONAME, "does not exist"), (socket.EAI_AGAIN, "did not answer")):

        async def fail(*args: object, number: int = number, **kwargs: object) -> None:
            raise socket.gaierror(number, "a.example")

        monkeypatch.setattr(loop, "getaddrinfo", fail)
        with pytest.raises(NetworkError, match=text) as failure:
            await Resolver().lookup("a.example")
        assert "a.example" not in str(failure.value)


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA questions about one name; for others it says that there is none, or nothing."""

    def __init__(self) -> None:
        self.silent = False
        self.questions: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(0, 12) + 5
        question = data[12:end]
        self.questions.append(question)
        if self.silent:
            return
        known = question.startswith(b"\1a\7example\0")
        records = b""
        if known:
            kind = question[-4:-2]
            address = bytes([192, 0, 2, 7]) if kind == b"\0\1" else bytes([0x20, 1, 0xD, 0xB8, *bytes(11), 7])
            records = b"\xc0\x0c" + kind + b"\0\1" + (25).to_bytes(4, "big")
            records += len(address).to_bytes(2, "big") + address
        flags = b"\x81\x80" if known else b"\x81\x83"
        head = data[:2] + flags + b"\0\1" + (b"\0\1" if known else b"\0\0") + bytes(4)
        self.transport.sendto(head + question + records, addr)


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    yield server
    transport.close()


async def test_c_ares_against_a_name_server(name_server: NameServer) -> None:
    clock = Now()
    names = Resolver([f"127.0.0.1:{name_server.port}"], clock=clock)
    try:
        assert await names.lookup("A.example") == ["192.0.2.7", "2001:db8::7"]
        assert len(name_server.questions) == 2
        clock.seconds += 24
        await names.lookup("a.example")
        assert len(name_server.questions) == 2
        with pytest.raises(NetworkError, match=r"^the name does not exist$"):
            await names.lookup("b.example")
        # Search domains would have asked for more.
        assert all(q.startswith((b"\1a\7example\0", b"\1b\7example\0")) for q in name_server.questions)
    finally:
        await names.close()


async def test_a_silent_name_server(name_server: NameServer) -> None:
    name_server.silent = True
    names = Resolver([f"127.0.0.1:{name_server.port}"], timeout=0.05)
    try:
        with pytest.raises(NetworkError, match="timed out"):
            await names.lookup("a.example")
    finally:
        await names.close()


async def test_a_name_server_that_is_back_is_asked_again(name_server: NameServer) -> None:
    name_server.silent = True
    names = Resolver([f"127.0.0.1:{name_server.port}"], timeout=0.05)
    try:
        for _ in range(3):
            with pytest.raises(ConnectTimeout):
                await names.lookup("a.example")
        name_server.silent = False
        names._timeout = 5
        assert await names.lookup("a.example") == ["192.0.2.7", "2001:db8::7"]
    finally:
        await names.close()


async def test_a_dead_name_server_is_passed_over(name_server: NameServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        port = dead.getsockname()[1]
    names = Resolver([f"127.0.0.1:{port}", f"127.0.0.1:{name_server.port}"])
    try:
        assert await names.lookup("a.example") == ["192.0.2.7", "2001:db8::7"]
    finally:
        await names.close()


async def test_no_name_server_at_all() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    names = Resolver([f"127.0.0.1:{port}"])
    try:
        with pytest.raises(NetworkError) as failure:
            await names.lookup("a.example")
        assert "example" not in str(failure.value)
    finally:
        await names.close()


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("# none\n", []),
        ("search example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n", ["192.0.2.53", "192.0.2.54"]),
        ("nameserver\nnameserver fe80::1%eth0\nnameserver\t2001:db8::53 # here\n", ["2001:db8::53"]),
    ],
)
def test_the_systems_name_servers(tmp_path: Path, text: str, servers: list[str]) -> None:
    (tmp_path / "resolv.conf").write_text(text)
    assert system_name_servers(tmp_path / "resolv.conf") == servers


def test_no_resolv_conf(tmp_path: Path) -> None:
    assert system_name_servers(tmp_path / "resolv.conf") == []
