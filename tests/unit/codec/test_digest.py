"""Digest: the RFCs' examples, the bytes of an answer, and what makes it impossible."""

import re
from collections.abc import Callable

import pytest

from headrace.base.rng import SeededRng
from headrace.codec.digest import _HASHES, Digest, response
from headrace.codec.http_challenges import Challenge, parse_challenges
from headrace.codec.http_login_way import Identity, Impossible

TARGET = "list.example:443"
MD5, SHA256 = _HASHES["md5"], _HASHES["sha-256"]


def digest(user: str = "ann", password: str = "s3cret") -> Digest:
    return Digest(Identity(user, password, "proxy.example"), SeededRng(1))


def offer(**parameters: str) -> Challenge:
    return Challenge("digest", "", {"realm": "x", "nonce": "y", **parameters})


def said(way: Digest) -> dict[str, str]:
    """Return the parameters of the next answer."""
    (answer,) = parse_challenges([way.authorization(TARGET)])
    assert answer.scheme == "digest"
    return answer.parameters


@pytest.mark.parametrize(
    ("hash_", "secret", "used", "expected"),
    [
        (  # RFC 2617 §3.5
            MD5,
            ("Mufasa", "testrealm@host.com", "Circle Of Life"),
            ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth"),
            "6629fae49393a05397450978507c4ef1",
        ),
        (  # the same as RFC 2069 would have it (its own example is known to be wrong)
            MD5,
            ("Mufasa", "testrealm@host.com", "Circle Of Life"),
            ("dcd98b7102dd2f0e8b11d0f600bfb0c093",),
            "670fd8c2df070c60b045671b8b24ff02",
        ),
        (  # RFC 7616 §3.9.1
            MD5,
            ("Mufasa", "http-auth@example.org", "Circle of Life"),
            (
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                "00000001",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                "auth",
            ),
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            SHA256,
            ("Mufasa", "http-auth@example.org", "Circle of Life"),
            (
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                "00000001",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                "auth",
            ),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_known_answers(
    hash_: Callable[[bytes], str], secret: tuple[str, ...], used: tuple[str, ...], expected: str
) -> None:
    assert response(hash_, secret, (), used, ("GET", "/dir/index.html")) == expected


def test_an_answer() -> None:
    way = digest("CORP\\ann")
    assert way.challenged([offer(qop="auth,auth-int", opaque='o"p', algorithm="MD5")], closing=False)
    text = way.authorization(TARGET)
    assert re.fullmatch(
        r'Digest username="CORP\\\\ann", realm="x", nonce="y", uri="list\.example:443", '
        r'response="[0-9a-f]{32}", algorithm=MD5, opaque="o\\"p", '
        r'qop=auth, nc=00000001, cnonce="[0-9a-f]{32}"',
        text,
    )
    (parsed,) = parse_challenges([text])
    used = ("y", "00000001", parsed.parameters["cnonce"], "auth")
    secret = ("CORP\\ann", "x", "s3cret")
    assert parsed.parameters["response"] == response(MD5, secret, (), used, ("CONNECT", TARGET))


@pytest.mark.parametrize("algorithm", ["MD5-sess", "md5-SESS", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["auth", ""])
def test_sessions(algorithm: str, qop: str) -> None:
    way = digest()
    assert way.challenged([offer(algorithm=algorithm, qop=qop)], closing=False)
    answer = said(way)
    used = ("y", "00000001", answer["cnonce"], "auth") if qop else ("y",)
    hash_ = MD5 if "md5" in algorithm.lower() else SHA256
    expected = response(hash_, ("ann", "x", "s3cret"), ("y", answer["cnonce"]), used, ("CONNECT", TARGET))
    assert answer["response"] == expected
    assert answer["algorithm"] == algorithm  # as it was written


def test_without_qop_nothing_is_said_of_it() -> None:
    way = digest()
    assert way.challenged([offer()], closing=False)
    assert said(way).keys() == {"username", "realm", "nonce", "uri", "response"}


def test_each_request_has_its_number_and_its_own_cnonce() -> None:
    way = digest()
    way.challenged([offer(qop="auth")], closing=False)
    first, second = said(way), said(way)
    assert (first["nc"], second["nc"]) == ("00000001", "00000002")
    assert first["cnonce"] != second["cnonce"]
    assert first["response"] != second["response"]


def test_the_first_algorithm_that_we_know_is_taken() -> None:
    way = digest()
    offers = [offer(algorithm="SHA-512-256"), offer(algorithm="SHA-256"), offer(algorithm="MD5")]
    assert way.challenged(offers, closing=False)
    assert said(way)["algorithm"] == "SHA-256"


def test_a_refusal_and_a_stale_nonce() -> None:
    way = digest()
    assert way.challenged([offer(qop="auth")], closing=False)
    said(way)
    assert way.challenged([offer(qop="auth", nonce="z", stale="TRUE")], closing=True)
    again = said(way)
    assert (again["nonce"], again["nc"]) == ("z", "00000001")
    assert not way.challenged([offer(qop="auth", nonce="w", stale="false")], closing=False)
    assert not way.challenged([], closing=False)


@pytest.mark.parametrize(
    "challenge",
    [
        offer(algorithm="SHA-512-256"),
        offer(algorithm="MD5-sess-sess"),
        offer(qop="auth-int"),
        Challenge("digest", "", {"realm": "x"}),
        Challenge("digest", "", {"nonce": "y"}),
        Challenge("digest", "abc"),
    ],
)
def test_what_cannot_be_answered(challenge: Challenge) -> None:
    with pytest.raises(Impossible):
        digest().challenged([challenge], closing=False)


def test_what_is_not_utf8_comes_back_byte_by_byte() -> None:
    way = digest()
    realm = b"B\xfcro".decode("utf-8", "surrogateescape")
    assert way.challenged([offer(realm=realm)], closing=False)
    assert b'realm="B\xfcro"' in way.authorization(TARGET).encode("utf-8", "surrogateescape")
