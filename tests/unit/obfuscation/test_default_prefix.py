"""The pairs that we ship: messages that an HTTP library reads without a complaint, as varied as real ones."""

import re
from collections import Counter

import h11
import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.obfuscation import DEFAULT_SPEC, ClientObfuscator, default_prefixes, default_server_prefixes
from headrace.obfuscation.default_prefix import CLIENT_SPECS, FRAMED, SERVER_SPECS
from headrace.obfuscation.prefix import ClientPrefix

COUNT = 500
HTTP = [name for name in CLIENT_SPECS if name.startswith("http")]
KEYWORD = b"8f" * 32
NOW = 784_111_777.0  # the example of RFC 9110


def drawn(name: str, count: int = COUNT) -> list[ClientPrefix]:
    specs, rng = default_prefixes((name,)), SeededRng(name)
    return [prefix for _ in range(count) if (prefix := specs.draw(443, rng))]


def requests(name: str) -> list[bytes]:
    return [prefix.data for prefix in drawn(name)]


def answers(name: str) -> list[bytes]:
    specs, rng = default_server_prefixes(), SeededRng(name)
    return [data for _ in range(COUNT) if (data := specs.generate(name, rng, NOW))]


def headers(event: h11.Request | h11.Response) -> dict[bytes, bytes]:
    assert len({name for name, _ in event.headers}) == len(event.headers), "a header is there twice"
    return dict(event.headers)


def request(data: bytes) -> h11.Request:
    """Read a whole head, and nothing else."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    event = server.next_event()
    assert isinstance(event, h11.Request)
    assert server.trailing_data[0] == b""
    return event


def response(data: bytes, method: bytes) -> h11.Response:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.receive_data(data)
    event = client.next_event()
    assert isinstance(event, h11.Response)
    assert client.trailing_data[0] == b""
    return event


def framing(fields: dict[bytes, bytes]) -> str:
    if b"transfer-encoding" in fields:
        assert fields[b"transfer-encoding"] == b"chunked"
        return "chunked"
    return "large" if int(fields.get(b"content-length", b"0")) >= 100_000_000 else "none"


EXPECTED = {"http-post": "large", "http-chunked": "chunked", "http-get": "none"}


@pytest.mark.parametrize("name", HTTP)
def test_requests_are_well_formed_and_their_framing_covers_what_follows(name: str) -> None:
    for data in requests(name):
        event = request(data)
        assert event.method == (b"GET" if name == "http-get" else b"POST")
        assert framing(headers(event)) == EXPECTED[name]
        assert {b"host", b"user-agent", b"accept-encoding"} - set(headers(event)) <= {b"accept-encoding"}


@pytest.mark.parametrize("name", HTTP)
def test_answers_are_well_formed_and_of_the_same_kind(name: str) -> None:
    for data in answers(name):
        event = response(data, b"GET" if name == "http-get" else b"POST")
        assert event.status_code == 200
        assert framing(headers(event)) == ("chunked" if name in FRAMED else "large")
        assert {b"server", b"content-type", b"connection"} <= set(headers(event))


@pytest.mark.parametrize("port", [80, 443, 4001])
@pytest.mark.parametrize("name", HTTP)
def test_a_request_names_the_port_it_goes_to(name: str, port: int) -> None:
    prefix = default_prefixes((name,)).draw(port, SeededRng(port))
    assert prefix is not None
    host = headers(request(prefix.data))[b"host"]
    assert re.fullmatch(rb"[a-z.]+" + (b"" if port == 80 else b":%d" % port), host)


@pytest.mark.parametrize("name", HTTP)
def test_an_answer_has_the_date_where_its_server_has_it(name: str) -> None:
    for data in answers(name):
        lines = data.split(b"\r\n")
        place = lines.index(b"Date: Sun, 06 Nov 1994 08:49:37 GMT")
        assert lines[place - 1].startswith(b"Server: nginx") or lines[place + 1].startswith(b"Server: Apache")


def test_answers_of_the_operator_stay_as_they_are() -> None:
    ours = SERVER_SPECS["http-get"][0][1]
    specs = default_server_prefixes({"http-post": r"HTTP/1\.1 200 OK\r\nServer: nginx\r\n", "http-get": ours})
    assert specs.generate("http-post", SeededRng(1), NOW) == b"HTTP/1.1 200 OK\r\nServer: nginx\r\n"
    assert b"\r\nDate: " in (specs.generate("http-get", SeededRng(1), NOW) or b"")


@pytest.mark.parametrize("name", HTTP)
def test_no_request_waits_for_permission(name: str) -> None:
    """A server in front of which a web server stands takes those for somebody else's."""
    assert not any(b"expect" in data.lower() for data in requests(name))


@pytest.mark.parametrize(("name", "programs"), [("http-post", 6), ("http-chunked", 4), ("http-get", 3)])
def test_requests_are_several_programs(name: str, programs: int) -> None:
    orders = Counter(tuple(re.findall(rb"\r\n([A-Za-z-]+):", data)) for data in requests(name))
    assert len(orders) == programs
    assert min(orders.values()) * programs > COUNT / 2


@pytest.mark.parametrize("make", [requests, answers])
@pytest.mark.parametrize("name", HTTP)
def test_first_24_bytes_do_not_repeat(name: str, make: object) -> None:
    assert callable(make)
    data = make(name)
    assert len({each[:24] for each in data}) == COUNT, (
        "they decide the terminator, which would repeat with them"
    )


def test_a_browser_is_itself_throughout() -> None:
    versions = set()
    for data in requests("http-post"):
        if found := re.search(rb"rv:([0-9.]+)\) Gecko/20100101 Firefox/([0-9.]+)\r\n", data):
            assert found[1] == found[2]
            versions.add(found[1])
    assert len(versions) > 4


def test_both_sides_know_the_same_names() -> None:
    assert CLIENT_SPECS.keys() == SERVER_SPECS.keys()
    assert DEFAULT_SPEC in CLIENT_SPECS


def test_what_a_client_draws_from() -> None:
    specs, rng = default_prefixes(("http-get", "printable", "printable")), SeededRng(1)
    names = Counter(prefix.name for _ in range(900) if (prefix := specs.draw(443, rng)))
    assert set(names) == {"http-get", "printable"}
    assert 500 < names["printable"] < 700
    assert default_prefixes(()).draw(443, rng) is None
    assert default_prefixes(probability=0).draw(443, rng) is None
    with pytest.raises(DocumentError, match="'http-put'"):
        default_prefixes(("http-put",))


def test_a_head_goes_first_unless_it_would_be_answered_alone() -> None:
    for name in CLIENT_SPECS:
        for prefix in drawn(name, 20):
            assert prefix.framed is (name in FRAMED)
            opening = ClientObfuscator(KEYWORD, SeededRng(1), prefix=prefix).opening
            if name == "http-get":
                assert (len(opening), prefix.split_delay) == (1, 0)
                assert opening[0].startswith(prefix.data)
            else:
                assert (len(opening), opening[0]) == (2, prefix.data)
                assert 0 <= prefix.split_delay <= 0.004


def test_fallback_is_printable() -> None:
    for data in (*requests("printable"), *answers("printable")):
        assert re.fullmatch(rb"[ -~]{6}", data)
