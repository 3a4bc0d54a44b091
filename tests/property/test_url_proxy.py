"""Properties of the URL proxy: playlists, paths, redirections, and who may ask."""

import ipaddress
import string
from collections.abc import AsyncIterator
from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.client.own_site import OwnSite
from headrace.client.url_paths import Asked, path_of
from headrace.client.url_proxy import UrlRequest
from headrace.codec.hls_playlist import rewrite_playlist
from headrace.net.http import split_url

BASE = "https://a.example/live/index.m3u8"
PREFIXES = st.sampled_from(["/tunneled/", "/direct/", "/tunneled-rewrite/", "/tunneled-icy/"])

hosts = st.sampled_from(
    ["a.example", "b.example:81", "192.0.2.1", "[2001:db8::1]:8080", "b\u00fccher.example"]
)
urls = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["http", "https"]),
    hosts,
    st.text(st.characters(categories=["L", "N", "P"])),
)
uris = urls | st.text(string.ascii_letters + string.digits + "./?&=%-_~;,:@'", min_size=1, max_size=30)
tags = st.builds(
    '{}:{}NAME="{}",URI="{}"'.format,
    st.sampled_from(["#EXT-X-KEY", "#EXT-X-MAP", "#EXT-X-PART", "#EXT-X-RENDITION-REPORT"]),
    st.sampled_from(["", "METHOD=AES-128,", "BYTERANGE=1@0,X=,"]),
    st.text(string.ascii_uppercase + ",=- ", max_size=12),
    uris,
)
remarks = st.text(string.printable.replace("\n", ""), max_size=40).map("# {}".format)
lines = st.lists(uris | tags | remarks | st.just(""), max_size=12)
literals = st.builds(
    "{}{}{}".format, st.sampled_from(["127.0.0.1", "[::1", "[::1%"]), st.text(max_size=5), st.just("]")
)
ends = st.sampled_from(["\n", "\r\n"])


@given(lines, ends)
def test_every_way_out_of_a_playlist_is_taken_by_us(lines: list[str], end: str) -> None:
    """Players that resolve what they get find no URI of an origin."""

    def place(url: str, playlist: bool) -> str:
        return f"http://127.0.0.1:8080{path_of(url, playlist=playlist)}"

    text = end.join(["#EXTM3U", "#EXTINF:6,", *lines])
    rewritten = rewrite_playlist(text.encode(), BASE, place)
    if rewritten is None:
        assert "{$" in text or any(line.startswith(("#EXT-X-STREAM", "#EXT-X-MEDIA:")) for line in lines)
        return
    after = rewritten.decode().split("\n")
    assert len(after) == len(text.split("\n"))
    for line in after:
        if line.strip() and not line.startswith("#"):
            onward = _join(line.strip())
            assert not onward.lower().startswith(("http:", "https:")) or onward.startswith(
                "http://127.0.0.1:8080/tunneled"
            )


@given(st.binary(max_size=2000) | st.binary(max_size=500).map(b"#EXTM3U\n#EXTINF:1,\n%b".__mod__))
def test_any_bytes_are_a_playlist_or_none(data: bytes) -> None:
    rewritten = rewrite_playlist(data, BASE, lambda url, playlist: "x")
    assert rewritten is None or rewritten.startswith(b"#EXTM3U")


@given(urls, PREFIXES)
def test_paths_there_and_back(url: str, prefix: str) -> None:
    path = path_of(url, prefix)
    assert path.isascii()
    assert Asked.parse(path) == Asked(prefix, url)
    assert "/" not in path.removeprefix(prefix)


@given(PREFIXES, st.text(string.printable, max_size=60))
def test_any_path_is_a_url_or_refused(prefix: str, rest: str) -> None:
    try:
        asked = Asked.parse(prefix + rest)
    except DocumentError:
        return
    assert asked is not None
    assert split_url(asked.url).origin.startswith(("http://", "https://"))


@given(st.sampled_from([301, 302, 303, 307, 308]), uris | st.text(max_size=30), st.booleans())
def test_no_redirection_takes_away_tls_or_gives_away_what_is_personal(
    status: int, location: str, body: bool
) -> None:
    headers = ((b"cookie", b"a=b"), (b"authorization", b"c"), (b"content-length", b"3"))
    request = UrlRequest(
        "POST" if body else "GET", "https://a.example/x", headers, _nothing() if body else None
    )
    try:
        onward = request.onward(status, location)
    except RemoteProtocolError:
        return
    if onward is None:
        assert body and status >= 307
        return
    assert split_url(onward.url).secure
    assert onward.body is None
    if split_url(onward.url).origin != "https://a.example":
        assert not {b"cookie", b"authorization"} & dict(onward.headers).keys()


@given(st.text(st.characters(max_codepoint=255), max_size=40) | literals)
def test_only_an_address_of_this_machine_is_a_site(host: str) -> None:
    try:
        site = OwnSite.of([(b"host", host.encode("latin-1", "replace"))], ("192.0.2.7", 8080))
    except RemoteProtocolError:
        return
    assert site is not None
    assert 0 <= site.port <= 0xFFFF
    if site.host != "localhost":
        address = ipaddress.ip_address(site.host.strip("[]"))
        assert address.is_loopback or str(address) == "192.0.2.7"
    assert site.url.isascii() and not set(site.url) & set("\"'\\<> \r\n")


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _join(uri: str) -> str:
    try:
        return urljoin("http://127.0.0.1:8080/tunneled-rewrite/x?m3u8", uri)
    except ValueError:
        return ""
