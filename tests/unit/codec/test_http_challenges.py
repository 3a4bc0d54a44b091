"""What proxies offer for logging in, as they write it: well, sloppily, and with malice."""

import pytest

from headrace.codec.http_challenges import MAX_CHALLENGES, Challenge, parse_challenges, quote

BASIC = Challenge("basic", "", {"realm": "x"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Basic"], [Challenge("basic")]),
        (['Basic realm="x"'], [BASIC]),
        (["BASIC Realm = x"], [BASIC]),
        (['Basic realm="x", realm="y"'], [BASIC]),
        (["NTLM"], [Challenge("ntlm")]),
        (["NTLM TlRMTVNTUAACAAAA+/=="], [Challenge("ntlm", "TlRMTVNTUAACAAAA+/==")]),
        (["NTLM", "Negotiate", 'Basic realm="x"'], [Challenge("ntlm"), Challenge("negotiate"), BASIC]),
        (["Negotiate, NTLM,Basic realm=x"], [Challenge("negotiate"), Challenge("ntlm"), BASIC]),
        (
            ['Digest realm="a, Basic b", nonce="c\\"\\\\d",qop="auth,auth-int", stale=FALSE, Basic realm=x'],
            [
                Challenge(
                    "digest",
                    "",
                    {"realm": "a, Basic b", "nonce": 'c"\\d', "qop": "auth,auth-int", "stale": "FALSE"},
                ),
                BASIC,
            ],
        ),
        (["Digest realm=a, nonce=b, algorithm=SHA-256", "Digest realm=a, nonce=c"], [
            Challenge("digest", "", {"realm": "a", "nonce": "b", "algorithm": "SHA-256"}),
            Challenge("digest", "", {"realm": "a", "nonce": "c"}),
        ]),
        ([' , ,Basic realm="x",, '], [BASIC]),
        (['Digest realm="a" nonce="b"'], [Challenge("digest", "", {"realm": "a", "nonce": "b"})]),
        (['Digest realm="", nonce="b"'], [Challenge("digest", "", {"realm": "", "nonce": "b"})]),
    ],
)  # fmt: skip
def test_what_is_offered(headers: list[str], expected: list[Challenge]) -> None:
    assert parse_challenges(headers) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        (",,,", []),
        ('realm="x"', []),  # of nothing
        ('Basic realm="x', [Challenge("basic")]),  # never closed
        ('Basic realm="x\\', [Challenge("basic")]),
        ('Digest nonce="a"b, realm=c', [Challenge("digest", "", {"realm": "c"})]),
        ('Digest @@, realm=c, "d, e=f", g=h', [Challenge("digest", "", {"realm": "c", "g": "h"})]),
        ("Digest realm=c, nonce=, a=b", [Challenge("digest", "", {"realm": "c", "a": "b"})]),
        ("Digest nonce=, realm=c", [Challenge("digest", "nonce=", {"realm": "c"})]),  # or is it base64?
        ("Dig\xe9st realm=c", []),
    ],
)
def test_what_cannot_be_understood_is_left_out(header: str, expected: list[Challenge]) -> None:
    assert parse_challenges([header]) == expected


def test_there_is_an_end_to_it() -> None:
    assert len(parse_challenges(["Basic, " * 1000])) == MAX_CHALLENGES


@pytest.mark.parametrize(
    "piece", ['"\\', '"', ' "a" ', "a ", "a=", "\t", "a b ", '=" ', "\\", 'a="\\"', ",", '"a"']
)
def test_long_garbage_takes_no_longer_than_long_sense(piece: str) -> None:
    """Whatever is repeated: what is looked at twice for each byte would take minutes here."""
    for header in ("Digest " + piece * (1 << 17), piece * (1 << 17)):
        assert len(parse_challenges([header])) <= MAX_CHALLENGES


def test_quoting_can_be_undone() -> None:
    text = 'CORP\\ann "the" x, y=z'
    assert parse_challenges([f"a b={quote(text)}"]) == [Challenge("a", "", {"b": text})]
