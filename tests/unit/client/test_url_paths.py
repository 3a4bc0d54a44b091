"""Paths of the URL proxy there and back."""

import pytest

from headrace.base.errors import DocumentError
from headrace.client.url_paths import Asked, path_of

ENCODED = "https%3A%2F%2Fa.example%3A8443%2Fv%2520ideo%3Fq%3Da%2Bb"
URL = "https://a.example:8443/v%20ideo?q=a+b"


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (f"/tunneled/{ENCODED}", Asked("/tunneled/", URL)),
        (f"/tunneled/{ENCODED}?m3u8", Asked("/tunneled/", URL)),
        (f"/direct/{ENCODED}", Asked("/direct/", URL)),
        (f"/tunneled-rewrite/{ENCODED}", Asked("/tunneled-rewrite/", URL)),
        (f"/tunneled-rewrite/{ENCODED}?m3u8", Asked("/tunneled-rewrite/", URL, playlist=True)),
        (f"/tunneled-rewrite/{ENCODED}?x=1&m3u8", Asked("/tunneled-rewrite/", URL, playlist=True)),
        (f"/tunneled-icy/{ENCODED}", Asked("/tunneled-icy/", URL)),
        (f"/tunneled-icy/{ENCODED}?m3u8", Asked("/tunneled-icy/", URL, playlist=True)),
        ("/tunneled/http%3a%2f%2fa.example", Asked("/tunneled/", "http://a.example")),
        ("/tunneled/http%3A%2F%2Fa.example%2Fa+b", Asked("/tunneled/", "http://a.example/a b")),
        ("/", None),
        ("/tunneled", None),
        ("/Tunneled/http%3A%2F%2Fa.example", None),
        ("/%74unneled/http%3A%2F%2Fa.example", None),
    ],
)
def test_what_is_asked_for(target: str, asked: Asked | None) -> None:
    assert Asked.parse(target) == asked


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "http://a.example/",
        "http%3A//a.example",
        "a.example",
        "ftp%3A%2F%2Fa.example%2F",
        "file%3A%2F%2F%2Fetc%2Fpasswd",
        "javascript%3Aalert(1)",
        "http%3A%2F%2F",
        "http%3A%2F%2Fuser%3Aword%40a.example%2F",
        "http%3A%2F%2Fa.example%3A0",
        "http%3A%2F%2Fa.example%0D%0AX%3A%20y%2F",
        "/etc/passwd",
    ],
)
def test_urls_of_no_use(encoded: str) -> None:
    with pytest.raises(DocumentError):
        Asked.parse(f"/tunneled/{encoded}")


def test_there_and_back() -> None:
    assert path_of(URL) == f"/tunneled/{ENCODED}"
    assert path_of(URL, playlist=True) == f"/tunneled-rewrite/{ENCODED}?m3u8"


@pytest.mark.parametrize("prefix", ["/tunneled/", "/direct/", "/tunneled-rewrite/", "/tunneled-icy/"])
def test_another_url_in_the_same_way(prefix: str) -> None:
    for playlist in (False, True) if prefix in ("/tunneled-rewrite/", "/tunneled-icy/") else (False,):
        asked = Asked(prefix, "http://b.example/", playlist=playlist)
        assert Asked.parse(asked.again(URL)) == Asked(prefix, URL, playlist=playlist)
