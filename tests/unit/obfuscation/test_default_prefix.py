import re

import pytest

from headrace.base.rng import SeededRng
from headrace.obfuscation import DEFAULT_SPEC, default_prefixes, default_server_prefixes

HEADER = re.compile(rb"[A-Za-z0-9-]+: [ -~]+")


def requests(count: int) -> list[bytes]:
    specs, rng = default_prefixes(), SeededRng("requests")
    drawn = [specs.draw(443, rng) for _ in range(count)]
    assert {prefix and prefix.name for prefix in drawn} == {DEFAULT_SPEC}
    return [prefix.data for prefix in drawn if prefix]


def answers(count: int) -> list[bytes]:
    specs, rng = default_server_prefixes(), SeededRng("answers")
    return [data for _ in range(count) if (data := specs.generate(DEFAULT_SPEC, rng))]


def headers(head: bytes) -> dict[bytes, bytes]:
    """Return the headers of a well-formed head; insists on its form."""
    lines = head.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    assert all(HEADER.fullmatch(line) for line in lines[1:-2])
    pairs = [line.split(b": ", 1) for line in lines[1:-2]]
    names = [name.lower() for name, _ in pairs]
    assert len(set(names)) == len(names)
    return {name.lower(): value for name, value in pairs}


def test_request_is_a_post_whose_body_never_ends() -> None:
    for request in requests(200):
        assert re.match(rb"POST /[\w/-]+ HTTP/1\.1\r\nHost: [a-z0-9.]+\r\n", request)
        assert int(headers(request)[b"content-length"]) >= 100_000_000
        assert b"chrome/" in headers(request)[b"user-agent"].lower()


def test_answer_is_a_200_whose_body_never_ends() -> None:
    for answer in answers(200):
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert int(headers(answer)[b"content-length"]) >= 100_000_000
        assert {b"content-type", b"connection"} < set(headers(answer))


@pytest.mark.parametrize("make", [requests, answers])
def test_first_24_bytes_do_not_repeat(make: object) -> None:
    assert callable(make)
    heads = {data[:24] for data in make(2000)}
    assert len(heads) == 2000, "they decide the terminator, which would repeat with them"


def test_probability_can_be_lowered() -> None:
    assert default_prefixes(probability=0).draw(443, SeededRng(1)) is None


def test_fallback_is_printable() -> None:
    for specs in (default_prefixes(), default_server_prefixes()):
        prefix = specs.generate("printable", SeededRng(1))
        assert prefix is not None
        assert re.fullmatch(rb"[ -~]{6}", prefix)
