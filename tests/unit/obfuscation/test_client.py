import pytest
from tests.unit.obfuscation.preambles import KEYWORD, ZERO_SEED, Script

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import ClientObfuscator, ClientPrefix
from headrace.obfuscation.preamble import CLIENT_TO_SERVER, MAX_SEARCH, SERVER_TO_CLIENT, terminator

PREFIX = ClientPrefix("known", b"POST /something HTTP/1.1\r\n\r\n", split_delay=0.01)
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n with some more"
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
