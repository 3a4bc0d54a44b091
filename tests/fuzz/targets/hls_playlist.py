"""HLS playlists: any bytes are rewritten line by line or left alone; nothing else comes into them."""

from headrace.codec.hls_playlist import rewrite_playlist

SEEDS = [
    b'#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n#EXTINF:6,\nseg/1.ts\n',
    b'#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a,b"\r\n../low.m3u8?x=1\r\n',
    b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME="a,URI=",URI="http://b.example/a.m3u8"\n',
    b"#EXTM3U\n#EXTINF:1,\n//[::1\n#EXTINF:1,\ndata:,x\n",
]


def fuzz(data: bytes) -> None:
    """`data` is what an origin sent as a playlist."""
    rewritten = rewrite_playlist(data, "https://a.example/live/index.m3u8", lambda url, playlist: "/x")
    if rewritten is None:
        return
    assert rewritten.startswith(b"#EXTM3U")
    before, after = data.split(b"\n"), rewritten.split(b"\n")
    assert len(before) == len(after)
    for old, new in zip(before[1:], after[1:], strict=True):
        assert old == new or b"/x" in new
