"""Paths of the URL proxy: any target is none, a usable URL, or refused with DocumentError."""

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.client.url_paths import Asked
from headrace.client.url_proxy import UrlRequest
from headrace.net.http import split_url

SEEDS = [
    b"/tunneled/https%3A%2F%2Fa.example%3A8443%2Fv%2520ideo%3Fq%3Da\n/b",
    b"/tunneled-rewrite/http%3A%2F%2Fa.example%2Fa.m3u8?m3u8&x\nhttps://b.example/",
    b"/tunneled-icy/http%3a%2f%2f[::1]%2F?m3u8\n//[::1",
    b"/direct/ftp%3A%2F%2Fa.example\nftp://a.example",
]


def fuzz(data: bytes) -> None:
    """`data` is a request's target, and where the answer redirects to."""
    target, _, location = data.decode("latin-1").partition("\n")
    try:
        asked = Asked.parse(target)
    except DocumentError:
        return
    if asked is None:
        return
    assert Asked.parse(asked.again(asked.url)) == asked
    try:
        onward = UrlRequest.of(asked, "GET", [], None).onward(302, location)
    except RemoteProtocolError:
        return
    assert onward is not None
    split_url(onward.url)
