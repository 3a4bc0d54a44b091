"""What people see when something is in the way: curl through each kind of proxy, everything in processes.

Every failure is a real one. What cannot be reached is a broadcast address, to which no TCP connection can be
made; the name that does not exist ends in .onion, which resolvers do not ask anybody about (RFC 7686).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop.programs import program, run
from tests.processes import (
    Client,
    Way,
    kill,
    make_server,
    processes_of,
    running_client,
    running_server,
)
from tests.web_server import Answer, Asked, WebServer, response, serve

from headrace.testing.dead_ends import refusing, unreachable
from headrace.testing.origin import PAGE, Origin

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERY_WAY = pytest.mark.parametrize("way", list(Way))
BLOCKED = 25
RULES = {"DialTCPPortForwardTimeoutMilliseconds": 300, "DisallowTCPPorts": [BLOCKED]}

#: The SOCKS5 reply and the HTTP status that tell of a failure.
TOLD = {
    "refused": (5, 502),
    "unreachable": (4, 502),
    "name not found": (4, 502),
    "timed out": (6, 504),
    "forbidden": (2, 403),
}
NO_TUNNEL = (1, 503)
#: The tunnel was lost before the answer began.
NOTHING_CAME = (1, 502)
#: SOCKS4 has one reply for all of them.
REJECTED = 91
#: curl's exit code when a proxy's handshake fails.
PROXY_FAILED = 97
#: Those of a transfer that broke off: too little came, or the connection was reset.
CUT_SHORT = (18, 56)
#: Answers that never end, by their paths.
BEGINNINGS = {
    "/length": response(200, b"some", length=1000),
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    "/until-close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome",
}


@pytest.fixture(scope="module")
def destinations() -> Iterator[dict[str, str]]:
    """URLs that cannot be fetched, by the reason."""
    with ExitStack() as stack:
        yield {
            "refused": f"http://127.0.0.1:{stack.enter_context(refusing())}/",
            "unreachable": "http://127.255.255.255/",
            "name not found": "http://nowhere.onion/",
            "timed out": f"http://127.0.0.1:{stack.enter_context(unreachable())}/",
            "forbidden": f"http://127.0.0.1:{BLOCKED}/",
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client behind a server with rules."""
    directory = tmp_path_factory.mktemp("failures")
    entry = make_server(directory / "server", rules=RULES)
    async with running_server(directory / "server"), running_client(directory / "client", entry) as running:
        yield running


@EVERY_WAY
@pytest.mark.parametrize("failure", TOLD)
async def test_a_destination_that_cannot_be_had(
    client: Client, destinations: dict[str, str], way: Way, failure: str, tmp_path: Path
) -> None:
    reply, status = TOLD[failure]
    check(await curl(client, way, destinations[failure], directory=tmp_path), way, reply, status)


async def test_a_lost_tunnel_cuts_what_it_carried_and_the_next_goes_on(tmp_path: Path) -> None:
    """No transfer looks complete that is not; and while there is no tunnel, that is what is said."""
    entry = make_server(tmp_path / "server")
    transfers = [(way, kind) for way in Way for kind in BEGINNINGS]
    all_began = asyncio.Event()

    def begin(asked: Asked) -> Answer:
        if len(website.asked) == len(transfers):
            all_began.set()
        return Answer(BEGINNINGS[asked.target])

    website = WebServer(begin)
    async with serve(website) as port, Origin() as origin, AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(tmp_path / "server"))
        settings = {"EstablishTunnelPausePeriodSeconds": 0.1}
        client = await stack.enter_async_context(running_client(tmp_path / "client", entry, **settings))
        async with asyncio.TaskGroup() as group:
            cut = [
                group.create_task(curl(client, way, f"http://127.0.0.1:{port}{kind}", directory=tmp_path))
                for way, kind in transfers
            ]
            await all_began.wait()
            told = len(client.program.lines)
            kill(processes_of(server))
        seen = {transfer: task.result() for transfer, task in zip(transfers, cut, strict=True)}
        for (way, _), outcome in seen.items():
            if way is Way.HTTP and outcome.status != 200:  # nothing had come through yet: that is told
                check(outcome, way, *NOTHING_CAME)
            else:
                assert outcome.exit in CUT_SHORT, seen
        await client.tunnels(0, told)
        for way in Way:
            check(await curl(client, way, origin.url(), directory=tmp_path), way, *NO_TUNNEL)
        await stack.enter_async_context(running_server(tmp_path / "server"))
        await client.tunnels(1, told)
        for way in Way:
            assert (await curl(client, way, origin.url(), directory=tmp_path)).body == PAGE


# ---- curl -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of curl ended with."""

    exit: int
    status: int  #: of the last answer
    connect_status: int  #: of the answer to CONNECT
    type: str
    error: str
    body: bytes


async def curl(client: Client, way: Way, url: str, *, directory: Path) -> Outcome:
    tunnelling = ("--proxytunnel",) if way is Way.CONNECT else ()
    report = "%{stderr}%{exitcode}\t%{http_code}\t%{http_connect}\t%{content_type}\t%{errormsg}"
    words = ("-q", "--silent", "--max-time", "15", "--write-out", report, "--proxy", client.proxy(way))
    done = await run(program("curl"), *words, *tunnelling, url, directory=directory)
    exit_code, status, connect_status, kind, error = done.stderr.decode().split("\t")
    return Outcome(int(exit_code), int(status), int(connect_status), kind, error, done.stdout)


def check(outcome: Outcome, way: Way, reply: int, status: int) -> None:
    """Fail unless a failure was told as it should be."""
    match way:
        case Way.SOCKS5:
            assert outcome.exit == PROXY_FAILED
            assert f"({reply})" in outcome.error
        case Way.SOCKS4A:
            assert outcome.exit == PROXY_FAILED
            assert f"({REJECTED})" in outcome.error
        case Way.CONNECT:
            assert outcome.exit
            assert outcome.connect_status == status
        case Way.HTTP:
            assert (outcome.exit, outcome.status) == (0, status)
            assert outcome.type.startswith("text/plain")
            assert outcome.body.decode().strip()
