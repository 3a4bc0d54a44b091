"""The HTTP front: who is led to the web server, when, and what becomes of a visit."""

import asyncio
from pathlib import Path

import pytest
from tests.memory_network import Destination, MemoryServer, Network, Place, settle

from headrace.base.errors import NetworkError
from headrace.base.rng import SeededRng
from headrace.codec.request_watch import MAX_BEHIND
from headrace.net.streams import HIGH
from headrace.net.tunnel_socket import FIN_GRACE
from headrace.obfuscation.default_prefix import CLIENT_SPECS, default_prefixes
from headrace.obfuscation.preamble import SEED_SIZE, TERMINATOR_SIZE
from headrace.server.front import CONNECT_TIMEOUT, IDLE
from headrace.server.patience import JITTER
from headrace.server.session import FRONT_WAIT
from headrace.server.worker import SWEEP
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_server import HANDSHAKE_TIMEOUT
from headrace.transports import ClientSide, tunnel_protocol

pytestmark = pytest.mark.virtual_time

PLACE = ("127.0.0.1", 8080)
GET = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 500000000\r\n\r\n"
NOISE = SeededRng(5).bytes(MAX_BEHIND)
#: Seconds for a client to go on after its prefix, least and most.
WAIT = FRONT_WAIT * HANDSHAKE_TIMEOUT
LONGEST_WAIT = WAIT * (1 + JITTER)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network.install(monkeypatch)

    async def dial_local(place: tuple[str, int], *how: object) -> object:
        return await network.dial_beyond(*place, *how)  # type: ignore[arg-type]

    monkeypatch.setattr("headrace.server.front.dial_local", dial_local)
    return network


class Visit(Destination):
    """A connection to the web server."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.came = now()

    def close(self) -> None:
        assert self.tcp is not None
        self.tcp.close()


@pytest.fixture
def web(network: Network) -> list[Visit]:
    """The connections that the web server gets."""
    taken: list[Visit] = []

    def accept() -> Visit:
        taken.append(Visit())
        return taken[-1]

    network.places[PLACE] = accept
    return taken


@pytest.fixture
def server(network: Network, web: list[Visit], tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path, HTTPFront="127.0.0.1:8080")


def preamble(server: MemoryServer, name: str, *, seed: int = 1, key: bytes = b"") -> tuple[bytes, bytes]:
    """Return a client's prefix, and the rest of its preamble."""
    rng = SeededRng(seed)
    prefix = default_prefixes([name]).draw(4001, rng)
    assert prefix is not None
    side = ClientSide(key or server.worker.shared.keyword, rng, prefix, padding=100)
    opening = tunnel_protocol("OSSH").client_layer(side).connected()
    assert opening is not None
    data = b"".join(opening.segments)
    return data[: len(prefix.data)], data[len(prefix.data) :]


def led_on(server: MemoryServer) -> int:
    return server.worker.counts["front.relayed"]


def now() -> float:
    return asyncio.get_running_loop().time()


async def visitor(server: MemoryServer, said: bytes) -> FakeTcp:
    tcp = server.probe()
    tcp.arrive(said)
    await settle()
    return tcp


# ---- who is led on, and when ------------------------------------------------------------------------------


async def test_a_request_goes_to_the_web_server_at_once_and_its_answer_back(
    server: MemoryServer, web: list[Visit]
) -> None:
    tcp = await visitor(server, GET)
    assert web[0].received == GET
    web[0].send(b"HTTP/1.1 200 OK\r\n\r\n")
    await settle()
    assert tcp.written == b"HTTP/1.1 200 OK\r\n\r\n"
    tcp.arrive(b"whatever \x00\xff comes next")
    await settle()
    assert web[0].received == GET + b"whatever \x00\xff comes next"


async def test_byte_by_byte_too(server: MemoryServer, web: list[Visit]) -> None:
    tcp = server.probe()
    for byte in GET:
        tcp.arrive(bytes((byte,)))
        await settle()
    assert [visit.received for visit in web] == [GET]


@pytest.mark.parametrize("name", CLIENT_SPECS)
async def test_clients_are_clients_with_every_prefix(
    server: MemoryServer, web: list[Visit], name: str
) -> None:
    client = await visitor(server, b"".join(preamble(server, name)))
    await asyncio.sleep(LONGEST_WAIT)
    assert not web
    assert client.written


@pytest.mark.parametrize("name", ["http-post", "http-chunked"])
@pytest.mark.parametrize("pieces", ["two", "many"])
async def test_clients_may_pause_behind_a_head_whose_body_is_due(
    server: MemoryServer, web: list[Visit], name: str, pieces: str
) -> None:
    prefix, rest = preamble(server, name)
    client = await visitor(server, prefix)
    await asyncio.sleep(WAIT - 0.1)
    for piece in [rest] if pieces == "two" else [bytes((byte,)) for byte in rest]:
        client.arrive(piece)
        await settle()
    await asyncio.sleep(LONGEST_WAIT)
    assert not web
    assert client.written


@pytest.mark.parametrize(
    "said", [b"", NOISE[:1], b"\x16\x03\x01", b"SSH-2.0-x\r\n", NOISE, b"GET /\r\n", b"GET / H"]
)
async def test_what_is_no_request_meets_silence_as_ever(
    server: MemoryServer, web: list[Visit], said: bytes
) -> None:
    tcp = await visitor(server, said)
    await asyncio.sleep(HANDSHAKE_TIMEOUT * (1 + JITTER))
    assert not web
    assert not tcp.written
    assert tcp.log[-1] == "fin"


async def test_without_a_front_all_is_silent(network: Network, web: list[Visit], tmp_path: Path) -> None:
    tcp = await visitor(MemoryServer(network, tmp_path), GET)
    await asyncio.sleep(HANDSHAKE_TIMEOUT * (1 + JITTER))
    assert not web
    assert not tcp.written
    assert tcp.log[-1] == "fin"


async def test_plain_ssh_has_no_front(server: MemoryServer, web: list[Visit]) -> None:
    tcp = server.probe("SSH")
    tcp.arrive(GET)
    await settle()
    assert tcp.written == b"Invalid SSH identification string.\r\n"
    assert not web


def altered(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@pytest.mark.parametrize("name", ["http-post", "http-get", "http-chunked"])
async def test_when_a_preamble_that_is_none_is_led_on_does_not_depend_on_why(
    server: MemoryServer, web: list[Visit], name: str
) -> None:
    prefix, rest = preamble(server, name)
    size = rest.find(b"\r\n") + 2 if name == "http-chunked" else 0
    strangers = {
        "noise": rest[:size] + SeededRng(9).bytes(len(rest) - size - 2) + rest[-2:],
        "replayed": rest,
        "another's": preamble(server, name, key=b"another server's")[1],
        **{f"cut at {at}": rest[:at] for at in (size + 1, size + 16, size + 17, size + 40, len(rest) - 1)},
        **{
            f"altered at {at}": altered(rest, at) for at in (size, size + 15, size + 20, size + 33, size + 37)
        },
    }
    server.worker.shared.seen(rest[size:][TERMINATOR_SIZE:][:SEED_SIZE])
    waits = {}
    for what, said in strangers.items():
        began = now()
        tcp = await visitor(server, prefix + said)
        await asyncio.sleep(LONGEST_WAIT)
        assert not tcp.written, what
        assert web[-1].received == prefix + said, what
        waits[what] = web[-1].came - began
    assert all(WAIT <= wait <= LONGEST_WAIT for wait in waits.values()), waits


async def test_of_a_long_upload_no_end_is_waited_for(server: MemoryServer, web: list[Visit]) -> None:
    tcp = await visitor(server, POST)
    assert not web
    tcp.arrive(NOISE)
    await settle()
    assert web[0].received == POST + NOISE


async def test_who_says_that_there_is_no_more_is_led_on_with_that(
    server: MemoryServer, web: list[Visit]
) -> None:
    tcp = await visitor(server, POST + b"a")
    tcp.finish()
    await settle()
    assert web[0].received == POST + b"a"
    assert web[0].finished
    web[0].send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await settle()
    assert tcp.written == b"HTTP/1.1 400 Bad Request\r\n\r\n"


async def test_nobody_is_led_on_once_his_time_is_up(server: MemoryServer, web: list[Visit]) -> None:
    tcp = server.probe()
    await asyncio.sleep(HANDSHAKE_TIMEOUT - 1)
    tcp.arrive(POST)
    await asyncio.sleep(LONGEST_WAIT + FIN_GRACE / 2)
    assert not web
    assert tcp.log[-1] == "fin"
    assert tcp.reading
    tcp.arrive(NOISE)
    await settle()
    assert not web


# ---- visits -----------------------------------------------------------------------------------------------


async def test_half_closes_pass_through_both_ways(server: MemoryServer, web: list[Visit]) -> None:
    tcp = await visitor(server, GET)
    tcp.finish()
    await settle()
    assert web[0].finished
    assert not tcp.lost
    web[0].send(b"bye")
    assert web[0].tcp is not None
    web[0].tcp.write_eof()
    await settle()
    assert tcp.written == b"bye"
    assert tcp.lost and web[0].finished


async def test_who_does_not_read_is_not_read_for(server: MemoryServer, web: list[Visit]) -> None:
    tcp = await visitor(server, GET)
    tcp.stuck = True
    for _ in range(100):
        web[0].send(bytes(64 * 1024))
        await settle()
    assert tcp.buffered <= 4 * HIGH
    tcp.drain()
    await settle()
    assert len(tcp.written) == 100 * 64 * 1024


async def test_a_visit_is_no_session_and_outlasts_the_time_for_a_log_in(
    server: MemoryServer, web: list[Visit]
) -> None:
    tcp = await visitor(server, GET)
    assert not server.sessions
    assert len(server.worker.newcomers) == 0
    assert server.worker.tunnels == 0
    await asyncio.sleep(2 * HANDSHAKE_TIMEOUT)
    assert not tcp.lost
    assert (led_on(server), server.worker.counts["handshake_failed.lost"]) == (1, 0)


@pytest.mark.parametrize("stuck", [False, True])
async def test_a_visit_in_which_nothing_happens_ends(
    server: MemoryServer, web: list[Visit], stuck: bool
) -> None:
    server.worker.spawn(server.worker.sweep())
    tcp = await visitor(server, GET)
    tcp.stuck = stuck
    web[0].send(b"HTTP/1.1 200 OK\r\n")
    await asyncio.sleep(IDLE - SWEEP)
    assert not tcp.lost
    await asyncio.sleep(3 * SWEEP)
    assert tcp.lost and web[0].finished
    assert server.worker.front is not None
    assert server.worker.front.visits == 0


async def test_who_reads_slowly_is_not_idle(server: MemoryServer, web: list[Visit]) -> None:
    server.worker.spawn(server.worker.sweep())
    tcp = await visitor(server, GET)
    tcp.stuck = True
    web[0].send(bytes(2 * HIGH))
    await asyncio.sleep(IDLE - SWEEP)
    tcp.drain()
    await asyncio.sleep(IDLE - SWEEP)
    assert not tcp.lost


async def test_visits_end_with_the_worker(server: MemoryServer, web: list[Visit]) -> None:
    tcp = await visitor(server, GET)
    await server.worker.stop()
    await settle()
    assert tcp.lost and web[0].finished


async def test_a_web_server_that_breaks_off_takes_its_visitor_along(
    server: MemoryServer, web: list[Visit]
) -> None:
    tcp = await visitor(server, GET)
    assert web[0].tcp is not None
    web[0].tcp.abort()
    await settle()
    assert tcp.lost


# ---- when there is nobody to lead to, or no room ----------------------------------------------------------


@pytest.mark.parametrize("place", [NetworkError("Connection refused"), "hangs"])
async def test_a_dead_web_server_is_silence(network: Network, server: MemoryServer, place: Place) -> None:
    network.places[PLACE] = place
    tcps = [await visitor(server, said) for said in (GET, GET + NOISE)]
    await asyncio.sleep(HANDSHAKE_TIMEOUT * (1 + JITTER))
    for tcp in tcps:
        assert not tcp.written
        assert tcp.log[-1] == "fin"
        assert tcp.reading
    assert server.worker.counts["front.unreachable"] == 2
    assert server.worker.front is not None
    assert server.worker.front.visits == 0


async def test_a_visitor_who_leaves_before_the_web_server_answers_leaves_nothing(
    network: Network, server: MemoryServer, web: list[Visit]
) -> None:
    network.delays[PLACE] = 1.0
    tcp = await visitor(server, GET)
    tcp.abort()
    await asyncio.sleep(1.1)
    assert web[0].finished
    assert not server.sessions
    assert led_on(server) == 0


async def test_beyond_so_many_visits_there_is_silence(server: MemoryServer, web: list[Visit]) -> None:
    front = server.worker.front
    assert front is not None
    while front.enter():
        pass
    tcp = await visitor(server, GET)
    assert not web
    front.leave()
    tcp = await visitor(server, GET)
    await visitor(server, GET)
    assert len(web) == 1
    tcp.finish()
    web[0].close()
    await settle()
    await visitor(server, GET)
    assert len(web) == 2
    assert server.worker.counts["front.full"] == 3


async def test_who_is_refused_and_finds_no_room_is_a_stranger(server: MemoryServer, web: list[Visit]) -> None:
    front = server.worker.front
    assert front is not None
    whole = b"".join(preamble(server, "http-post"))
    await visitor(server, whole)
    while front.enter():
        pass
    await visitor(server, whole)
    await asyncio.sleep(LONGEST_WAIT)
    assert sorted(session.state for session in server.sessions) == ["handshake", "refused"]
    assert server.worker.counts["stranger.replay"] == 1


@pytest.mark.parametrize("place", [NetworkError("Connection refused"), "hangs"])
async def test_who_says_that_there_is_no_more_is_not_kept_for_a_dead_web_server(
    network: Network, server: MemoryServer, place: Place
) -> None:
    network.places[PLACE] = place
    tcp = await visitor(server, POST + b"a")
    tcp.finish()
    await asyncio.sleep(CONNECT_TIMEOUT + HANDSHAKE_TIMEOUT * JITTER)
    assert tcp.lost
    assert not tcp.written


async def test_beyond_so_much_to_keep_in_mind_there_is_silence(
    server: MemoryServer, web: list[Visit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.server.front.MAX_KEPT", 1000)
    patient = await visitor(server, POST + NOISE[: 999 - len(POST)])
    await visitor(server, GET)
    client = await visitor(server, b"".join(preamble(server, "http-post")))
    assert not web
    assert client.written
    patient.arrive(NOISE[:2])
    await visitor(server, NOISE[:2000])
    await visitor(server, GET)
    assert len(web) == 1
    front = server.worker.front
    assert front is not None
    patient.abort()
    await settle()
    assert front.kept == 0


async def test_only_a_preamble_that_was_one_is_told_of(server: MemoryServer, web: list[Visit]) -> None:
    whole = b"".join(preamble(server, "http-post"))
    await visitor(server, whole)
    await visitor(server, whole)
    await visitor(server, POST + bytes(80_000))
    await asyncio.sleep(LONGEST_WAIT)
    strangers = {name: count for name, count in server.worker.counts.items() if name.startswith("stranger.")}
    assert strangers == {"stranger.replay": 1}
    assert led_on(server) == 2
