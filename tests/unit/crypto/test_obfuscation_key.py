import ctypes
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from headrace.crypto import derive_key, obfuscation_key

SEED = bytes.fromhex("76c7e40b286a1a6b0a2755ee63f93137")
KEYWORD = b"ec5714e8144abe3262ab0b4171b1fb5f0d39be9437dda21a64093e4548610143"
KEY = bytes.fromhex("6035b6d723fce83ca5f59f2015e05689")


@pytest.fixture(autouse=True)
def choose_anew() -> Iterator[None]:
    obfuscation_key._chain.cache_clear()
    yield
    obfuscation_key._chain.cache_clear()


def test_known_answer() -> None:
    assert derive_key(SEED, KEYWORD, b"client_to_server") == KEY


def test_hashlib_loop_gives_the_same() -> None:
    assert obfuscation_key._hashlib_chain(SEED + KEYWORD + b"client_to_server") == KEY


def test_null_bytes_do_not_end_the_input() -> None:
    data = b"\0" * 16 + b"key\0word" + b"label"
    assert obfuscation_key._chain()(data) == obfuscation_key._hashlib_chain(data)


def test_choice_is_made_once() -> None:
    assert obfuscation_key._chain() is obfuscation_key._chain()


@pytest.mark.parametrize("error", [ImportError, OSError, AttributeError, TypeError])
def test_falls_back_when_openssl_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def unreachable() -> obfuscation_key.Chain:
        raise error

    monkeypatch.setattr(obfuscation_key, "_openssl_chain", unreachable)
    assert obfuscation_key._chain() is obfuscation_key._hashlib_chain
    assert derive_key(SEED, KEYWORD, b"client_to_server") == KEY


def test_falls_back_when_openssl_answers_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obfuscation_key, "_openssl_chain", lambda: lambda data: bytes(16))
    assert obfuscation_key._chain() is obfuscation_key._hashlib_chain


class Function:
    """Stands in for a foreign function: answers with one number."""

    restype: object = None
    argtypes: object = None

    def __init__(self, answer: int) -> None:
        self._answer = answer

    def __call__(self, *arguments: object) -> int:
        return self._answer


def test_older_openssl_without_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(EVP_BytesToKey=Function(16), EVP_aes_128_ecb=Function(1), EVP_sha1=Function(1))
    monkeypatch.setattr(ctypes, "CDLL", lambda path: old)
    assert obfuscation_key._openssl_chain()(b"data") == bytes(16)


def test_openssl_without_sha1(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = SimpleNamespace(EVP_BytesToKey=Function(16), EVP_aes_128_ecb=Function(1), EVP_MD_fetch=Function(0))
    monkeypatch.setattr(ctypes, "CDLL", lambda path: bare)
    assert obfuscation_key._openssl_chain() is obfuscation_key._hashlib_chain


def test_openssl_failing_later_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = SimpleNamespace(
        EVP_BytesToKey=Function(0), EVP_aes_128_ecb=Function(1), EVP_MD_fetch=Function(1)
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda path: failing)
    assert obfuscation_key._openssl_chain()(SEED + KEYWORD + b"client_to_server") == KEY
