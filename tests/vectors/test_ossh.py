"""The obfuscation layer against known answers: keys, keystreams, terminators and whole preambles."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from headrace.base.rng import Rng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import Accepted, ClientObfuscator, ClientPrefix, PrefixSpecs, ServerObfuscator
from headrace.obfuscation.preamble import CLIENT_TO_SERVER, HEAD_SIZE, SERVER_TO_CLIENT, terminator

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "ossh.json").read_text())
SERVER_REGEX = r"HTTP/1\.1 200 OK\r\nServer: nginx\r\nContent-Length: [0-9]{5}\r\n\r\n"


def case_id(case: dict[str, Any]) -> str:
    return "-".join(filter(None, [case["keyword"][:8].replace(" ", "_"), case.get("spec_name")]))


def cases(section: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", VECTORS[section], ids=case_id)


class Scripted(Rng):
    """Hands out prepared bytes and numbers in order, and insists that they fit what is asked for."""

    def __init__(self, texts: Iterable[bytes], numbers: Iterable[int]) -> None:
        self._texts = list(texts)
        self._numbers = list(numbers)

    def bytes(self, count: int) -> bytes:
        text = self._texts.pop(0)
        assert len(text) == count
        return text

    def between(self, low: int, high: int) -> int:
        number = self._numbers.pop(0)
        assert low <= number <= high
        return number

    def chance(self, probability: float) -> bool:
        return True


def server_for(case: dict[str, Any], rng: Rng, specs: PrefixSpecs | None = None) -> ServerObfuscator:
    return ServerObfuscator(case["keyword"].encode(), rng, lambda seed: False, specs or PrefixSpecs())


class Plain(Scripted):
    """For servers whose answer does not matter: zeros, and the least of every range."""

    def __init__(self) -> None:
        super().__init__([], [])

    def bytes(self, count: int) -> bytes:
        return bytes(count)

    def between(self, low: int, high: int) -> int:
        return low


@cases("key_derivation")
def test_key_derivation(case: dict[str, Any]) -> None:
    for direction in ("client_to_server", "server_to_client"):
        key = derive_key(bytes.fromhex(case["seed"]), case["keyword"].encode(), direction.encode())
        assert key.hex() == case[f"{direction}_key"]
        keystream = bytes.fromhex(case[f"{direction}_keystream"])
        assert Rc4(key).update(bytes(len(keystream))) == keystream


@cases("prefix_terminators")
def test_terminators(case: dict[str, Any]) -> None:
    head = bytes.fromhex(case["first_24_bytes"])
    keyword = case["keyword"].encode()
    assert terminator(keyword, head, CLIENT_TO_SERVER).hex() == case["client_to_server"]
    assert terminator(keyword, head, SERVER_TO_CLIENT).hex() == case["server_to_client"]


@cases("client_preambles")
def test_server_accepts_preamble(case: dict[str, Any]) -> None:
    preamble, after = bytes.fromhex(case["preamble"]), bytes.fromhex(case["next_client_bytes"])
    accepted = server_for(case, Plain()).receive(preamble + after)
    assert isinstance(accepted, Accepted)
    assert accepted.padding_length == case["padding_length"]
    assert accepted.padding_prng_seed == bytes.fromhex(case["padding_prng_seed"])
    assert accepted.prefix_name is None
    assert accepted.veil.reveal(accepted.leftover).decode() == case["next_client_plaintext"]


@cases("client_preambles")
def test_client_builds_preamble(case: dict[str, Any]) -> None:
    preamble = bytes.fromhex(case["preamble"])
    client = ClientObfuscator(case["keyword"].encode(), rng_for(case, preamble))
    assert client.opening == [preamble]
    assert client.veil.hide(case["next_client_plaintext"].encode()).hex() == case["next_client_bytes"]
    assert client.ready
    server_bytes = client.receive(bytes.fromhex(case["first_server_bytes"]))
    assert server_bytes is not None
    assert client.veil.reveal(server_bytes).decode() == case["first_server_plaintext"]


@cases("prefixed_client_preambles")
def test_server_accepts_prefixed_preamble(case: dict[str, Any]) -> None:
    preamble, after = bytes.fromhex(case["preamble"]), bytes.fromhex(case["next_client_bytes"])
    specs = PrefixSpecs.compile({case["spec_name"]: "x{30}"})
    accepted = server_for(case, Plain(), specs).receive(preamble + after)
    assert isinstance(accepted, Accepted)
    assert accepted.padding_length == case["padding_length"]
    assert accepted.prefix_name == case["spec_name"]
    assert accepted.veil.reveal(accepted.leftover).decode() == case["next_client_plaintext"]


@cases("prefixed_client_preambles")
def test_client_builds_prefixed_preamble(case: dict[str, Any]) -> None:
    preamble = bytes.fromhex(case["preamble"])
    prefix, rest = preamble[: case["prefix_length"]], preamble[case["prefix_length"] :]
    fill = rest[: max(0, HEAD_SIZE - len(prefix))]
    seed_message = rest[len(fill) + 16 :]
    client = ClientObfuscator(
        case["keyword"].encode(),
        rng_for(case, seed_message, fill),
        prefix=ClientPrefix(case["spec_name"], prefix),
    )
    assert client.opening == [prefix, rest]
    assert client.veil.hide(case["next_client_plaintext"].encode()).hex() == case["next_client_bytes"]
    assert not client.ready


@cases("prefixed_client_preambles")
def test_prefix_comes_from_its_regular_expression(case: dict[str, Any]) -> None:
    specs = PrefixSpecs.compile({case["spec_name"]: case["regex"]})
    prefix = specs.generate(case["spec_name"], Plain())
    known = bytes.fromhex(case["preamble"])[: case["prefix_length"]]
    assert prefix is not None
    assert prefix[:4] == known[:4] if case["spec_name"] == "http-get" else prefix[:3] == known[:3]


@cases("server_prefix_preambles")
def test_client_skips_server_prefix(case: dict[str, Any]) -> None:
    client_preamble = bytes.fromhex(case["client_preamble"])
    client = ClientObfuscator(case["keyword"].encode(), Plain(), prefix=ClientPrefix(case["spec_name"], b"x"))
    assert client.receive(bytes.fromhex(case["server_preamble"]) + b"obfuscated") == b"obfuscated"
    assert client.ready
    assert isinstance(server_for(case, Plain()).receive(client_preamble), Accepted)


@cases("server_prefix_preambles")
def test_server_builds_its_preamble(case: dict[str, Any]) -> None:
    server_preamble = bytes.fromhex(case["server_preamble"])
    prefix = server_preamble[: case["server_prefix_length"]]
    digits = [int(digit) for digit in prefix.partition(b"Content-Length: ")[2].strip().decode()]
    specs = PrefixSpecs.compile({case["spec_name"]: SERVER_REGEX})
    # What is drawn: the count of digits, the digits, no fill, no delay, and the shortest padding (CR LF).
    rng = Scripted([b"", b""], [5, *digits, 0, 2])
    accepted = server_for(case, rng, specs).receive(bytes.fromhex(case["client_preamble"]))
    assert isinstance(accepted, Accepted)
    first, second = accepted.opening
    assert first == prefix
    assert first + second[:-2] == server_preamble


def rng_for(case: dict[str, Any], seed_message: bytes, fill: bytes | None = None) -> Scripted:
    """Return the randomness with which a client comes to the given seed message."""
    seed = seed_message[:16]
    clear = Rc4(derive_key(seed, case["keyword"].encode(), CLIENT_TO_SERVER)).update(seed_message[16:])
    padding = clear[8 : 8 + case["padding_length"]]
    return Scripted([seed, padding] if fill is None else [seed, padding, fill], [len(padding)])
