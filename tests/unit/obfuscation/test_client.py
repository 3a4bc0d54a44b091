import pytest
from tests.unit.obfuscation.preambles import KEYWORD, ZERO_SEED, Script

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import ClientObfuscator, ClientPrefix
from headrace.obfuscation.framing import frame
from headrace.obfuscation.preamble import CLIENT_TO_SERVER, MAX_SEARCH, SERVER_TO_CLIENT, terminator

PREFIX = ClientPrefix("known", b"POST /something HTTP/1.1\r\n\r\n", split_delay=0.01)
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n with some more"
FRAMED = ClientPrefix("known", PREFIX.data, framed=True)
HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"
MARK = terminator(KEYWORD, HEAD[:24], SERVER_TO_CLIENT)
SERVER_PREFIX = ANSWER + terminator(KEYWORD, ANSWER[:24], SERVER_TO_CLIENT)


def make_client(prefix: ClientPrefix | None = None, seed: int = 1) -> ClientObfuscator:
    return ClientObfuscator(KEYWORD, SeededRng(seed), prefix=prefix)


def clear_fields(message: bytes, keyword: bytes = KEYWORD) -> bytes:
    return Rc4(derive_key(message[:16], keyword, CLIENT_TO_SERVER)).update(message[16:])


def test_without_a_prefix() -> None:
    client = make_client()
    (segment,) = client.opening
    clear = clear_fields(segment)
    assert clear[:4] == bytes.fromhex("0bf5ca7e")
    assert int.from_bytes(clear[4:8], "big") == len(clear) - 8 == client.padding_length
    assert client.opening_delay == 0
    assert client.ready
    assert client.receive(b"obfuscated") == b"obfuscated"


def test_with_a_prefix() -> None:
    client = make_client(PREFIX)
    first, second = client.opening
    assert first == PREFIX.data
    assert second[:16] == terminator(KEYWORD, first[:24], CLIENT_TO_SERVER)
    assert clear_fields(second[16:])[8 + client.padding_length :] == b"\x00\x01\x00\x05known"
    assert client.opening_delay == 0.01


def test_a_short_prefix_is_filled_up_behind_its_own_segment() -> None:
    client = make_client(ClientPrefix("known", b"abcdef"))
    first, second = client.opening
    assert first == b"abcdef"
    assert second[18:34] == terminator(KEYWORD, first + second[:18], CLIENT_TO_SERVER)


def test_an_empty_prefix_is_one_segment() -> None:
    assert len(make_client(ClientPrefix("known", b"")).opening) == 1


@pytest.mark.parametrize("padding", [0, 32, 8192])
def test_padding_is_as_long_as_it_was_chosen_to_be(padding: int) -> None:
    client = ClientObfuscator(KEYWORD, SeededRng(1), padding=padding)
    assert client.padding_length == padding
    assert len(client.opening[0]) == 24 + padding


@pytest.mark.parametrize("padding", [-1, 8193])
def test_impossible_padding(padding: int) -> None:
    with pytest.raises(LocalProtocolError, match="padding"):
        ClientObfuscator(KEYWORD, SeededRng(1), padding=padding)


def test_the_shape_of_packets_is_repeatable_and_nothing_else_is() -> None:
    first, again = (
        ClientObfuscator(KEYWORD, SeededRng(seed), padding=40, shape=SeededRng(b"shape")) for seed in (1, 2)
    )
    assert first.opening != again.opening
    lengths = [first.veil.extra_padding(8) for _ in range(20)]
    assert lengths == [again.veil.extra_padding(8) for _ in range(20)]
    assert len(set(lengths)) > 10


def test_default_padding_is_spread_over_the_whole_range() -> None:
    lengths = [make_client(seed=seed).padding_length for seed in range(100)]
    assert min(lengths) >= 32
    assert max(lengths) <= 8192
    assert [sum(length * 4 // 8193 == quarter for length in lengths) > 10 for quarter in range(4)] == [
        True
    ] * 4


def test_every_other_seed_with_a_zero_second_keystream_byte_is_dropped() -> None:
    dropped = ClientObfuscator(b"k", Script([ZERO_SEED, b"x" * 16], chances=[False]))
    assert dropped.opening[0].startswith(b"x" * 16)
    kept = ClientObfuscator(b"k", Script([ZERO_SEED], chances=[True]))
    assert kept.opening[0].startswith(ZERO_SEED)
    assert kept.opening[0][17] == 0xF5  # the magic's second byte, bare


@pytest.mark.parametrize("behind", [b"", b"x", b"obfuscated" * 100])
def test_server_prefix_is_skipped(behind: bytes) -> None:
    client = make_client(PREFIX)
    assert client.receive(SERVER_PREFIX + behind) == behind
    assert client.ready
    assert client.receive(b"more") == b"more"


def test_server_prefix_byte_by_byte() -> None:
    client = make_client(PREFIX)
    for byte in SERVER_PREFIX[:-1]:
        assert client.receive(bytes((byte,))) is None
        assert not client.ready
    assert client.receive(SERVER_PREFIX[-1:]) == b""
    assert client.ready


def test_endless_server_prefix() -> None:
    client = make_client(PREFIX)
    assert client.receive(bytes(24 + MAX_SEARCH - 1)) is None
    with pytest.raises(RemoteProtocolError, match="terminator"):
        client.receive(b"x")


def test_the_veil_goes_on_where_the_preamble_ended() -> None:
    client = make_client(PREFIX)
    stream = Rc4(derive_key(client.opening[1][16:32], KEYWORD, CLIENT_TO_SERVER))
    stream.update(client.opening[1][32:])
    assert stream.update(client.veil.hide(b"SSH-2.0-x\r\n")) == b"SSH-2.0-x\r\n"


# ---- framing


def test_a_framed_prefix_says_so_in_a_chunk() -> None:
    client = make_client(FRAMED)
    first, second = client.opening
    size, _, chunk = second.partition(b"\r\n")
    assert first == FRAMED.data
    assert int(size, 16) == len(chunk) - 2
    assert chunk.endswith(b"\r\n")
    assert chunk[:16] == terminator(KEYWORD, first[:24], CLIENT_TO_SERVER)
    assert clear_fields(chunk[16:-2])[8 + client.padding_length :] == b"\x00\x02\x00\x05known"


@pytest.mark.parametrize("cut", [[17, 5], [20, 20, 1]])
@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_the_terminator_begins_the_body_of_a_framed_answer(step: int, cut: list[int]) -> None:
    client = make_client(FRAMED)
    body = MARK + b"obfuscated stream to the end"
    stream, at = HEAD, 0
    for size in [*cut, len(body)]:  # whatever the sizes of the chunks
        stream += frame([body[at : at + size]]) if body[at : at + size] else b""
        at += size
    heard = b""
    for start in range(0, len(stream), step):
        assert not client.ready or start
        heard += client.receive(stream[start : start + step]) or b""
    assert client.ready
    assert heard == b"obfuscated stream to the end"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HEAD + frame([bytes(16)]), "no prefix terminator"),
        (HEAD + frame([b"?" + MARK]), "no prefix terminator"),
        (HEAD + MARK + bytes(20), "malformed chunk"),
        (HEAD + b"0\r\n\r\n?", "behind the last chunk"),
        (HEAD[:-4] + b" " * (24 + MAX_SEARCH), "without an end"),
    ],
)
def test_answers_that_are_not_framed_as_they_should_be(answer: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        make_client(FRAMED).receive(answer)
    client = make_client(FRAMED)
    with pytest.raises(RemoteProtocolError, match=reason):
        for place in range(len(answer)):
            client.receive(answer[place : place + 1])


def test_a_framed_prefix_is_a_head() -> None:
    with pytest.raises(LocalProtocolError, match="24 bytes"):
        make_client(ClientPrefix("known", b"POST / HTTP\r\n\r\n", framed=True))
