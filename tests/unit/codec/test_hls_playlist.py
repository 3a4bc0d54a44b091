"""Playlists: every URI that leads to an origin is replaced, nothing else is touched."""

import pytest

from headrace.codec import hls_playlist
from headrace.codec.hls_playlist import MAX_LINES, MAX_URIS, rewrite_playlist

BASE = "https://a.example/live/1080/index.m3u8?token=t"


def place(url: str, playlist: bool) -> str:
    return f"<{'list' if playlist else 'item'} {url}>"


def rewrite(text: str, base: str = BASE) -> str | None:
    data = rewrite_playlist(text.encode(), base, place)
    return None if data is None else data.decode()


MASTER = """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://key",KEYFORMAT="com.example"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",URI="/titles.json"
#EXT-X-CONTENT-STEERING:SERVER-URI="steer?s=1",PATHWAY-ID="CDN-A"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,URI=",NAME="English",LANGUAGE="en",URI="audio/en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
../720/index.m3u8

#EXT-X-STREAM-INF:BANDWIDTH=65000
//b.example/65.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI="http://c.example:81/iframe.m3u8"
"""

MASTER_REWRITTEN = """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://key",KEYFORMAT="com.example"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",URI="<item https://a.example/titles.json>"
#EXT-X-CONTENT-STEERING:SERVER-URI="<item https://a.example/live/1080/steer?s=1>",PATHWAY-ID="CDN-A"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,URI=",NAME="English",LANGUAGE="en",\
URI="<list https://a.example/live/1080/audio/en.m3u8>"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
<list https://a.example/live/720/index.m3u8>

#EXT-X-STREAM-INF:BANDWIDTH=65000
<list https://b.example/65.m3u8>
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI="<list http://c.example:81/iframe.m3u8>"
"""

MEDIA = """\
#EXTM3U
#EXT-X-TARGETDURATION:6
# a remark with URI="left.alone"
#EXT-X-KEY:METHOD=AES-128,URI="key.bin?URI=\u00fc",IV=0x9c7db8778570d05c3177c349fd9236aa
#EXT-X-MAP:URI="init.mp4",BYTERANGE="1180@0"
#EXTINF:6.006,A title, with URI="in.it"
segment 1.ts
#EXTINF:6.006,
#EXT-X-BYTERANGE:75232@0
  HTTPS://b.example/2.ts\t
#EXT-X-PART:DURATION=0.33334,URI="part.mp4"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="next.mp4"
#EXT-X-RENDITION-REPORT:URI="../720/index.m3u8",LAST-MSN=273
#EXTINF:1,
data:,none
#EXT-X-ENDLIST"""

MEDIA_REWRITTEN = """\
#EXTM3U
#EXT-X-TARGETDURATION:6
# a remark with URI="left.alone"
#EXT-X-KEY:METHOD=AES-128,URI="<item https://a.example/live/1080/key.bin?URI=\u00fc>",\
IV=0x9c7db8778570d05c3177c349fd9236aa
#EXT-X-MAP:URI="<item https://a.example/live/1080/init.mp4>",BYTERANGE="1180@0"
#EXTINF:6.006,A title, with URI="in.it"
<item https://a.example/live/1080/segment 1.ts>
#EXTINF:6.006,
#EXT-X-BYTERANGE:75232@0
  <item https://b.example/2.ts>\t
#EXT-X-PART:DURATION=0.33334,URI="<item https://a.example/live/1080/part.mp4>"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="<item https://a.example/live/1080/next.mp4>"
#EXT-X-RENDITION-REPORT:URI="<list https://a.example/live/720/index.m3u8>",LAST-MSN=273
#EXTINF:1,
data:,none
#EXT-X-ENDLIST"""


def test_a_master_playlist() -> None:
    assert rewrite(MASTER) == MASTER_REWRITTEN


def test_a_media_playlist() -> None:
    assert rewrite(MEDIA) == MEDIA_REWRITTEN


def test_line_ends_stay_as_they_are() -> None:
    assert rewrite(MEDIA.replace("\n", "\r\n")) == MEDIA_REWRITTEN.replace("\n", "\r\n")


def test_a_byte_order_mark_is_dropped() -> None:
    assert rewrite(f"\ufeff{MEDIA}") == MEDIA_REWRITTEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "#EXTM3U\nsong.mp3\n",
        "#EXTM3U8\n#EXTINF:1,\na.ts\n",
        "#EXTINF:1,\n#EXTM3U\na.ts\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXTINF:1,\na.ts\n",
        '#EXTM3U\n#EXT-X-DEFINE:NAME="h",VALUE="b"\n#EXTINF:1,\nhttps://{$h}.example/a.ts\n',
    ],
    ids=["empty", "a page", "songs", "another word", "out of order", "both kinds", "variables"],
)
def test_what_is_none_or_cannot_be_done(text: str) -> None:
    assert rewrite(text) is None


def test_another_character_set_is_none() -> None:
    assert rewrite_playlist(b"#EXTM3U\n#EXTINF:1,\xe4\na.ts\n", BASE, place) is None


def test_a_uri_that_cannot_be_one_is_left_alone() -> None:
    text = "#EXTM3U\n#EXTINF:1,\nhttp://[::1/a.ts\n"
    assert rewrite(text) == text


def test_lines_and_uris_are_bounded() -> None:
    beginning = "#EXTM3U\n#EXTINF:1,\n"
    assert rewrite(beginning + "\n" * MAX_LINES) is None
    assert rewrite(beginning + "a\n" * MAX_URIS) is not None
    assert rewrite(beginning + "a\n" * (MAX_URIS + 1)) is None
    assert rewrite(beginning + "#EXT-X-KEY:" + 'URI="a",' * (MAX_URIS + 1)) is None


def test_a_long_base_cannot_make_it_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_playlist, "MAX_RESULT", 100_000)
    text = "#EXTM3U\n#EXTINF:1,\n" + "a\n" * 200
    assert rewrite(text) is not None
    assert rewrite(text, f"https://a.example/{'x' * 1000}/") is None
