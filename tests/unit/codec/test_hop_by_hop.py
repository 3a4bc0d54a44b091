"""Heads on their way to the next hop."""

from headrace.codec.hop_by_hop import end_to_end


def test_what_is_for_one_hop_stays() -> None:
    fields = [
        (b"Host", b"a.example"),
        (b"Connection", b"keep-alive, X-Secret"),
        (b"Proxy-Connection", b"x-other"),
        (b"X-Secret", b"1"),
        (b"X-Other", b"2"),
        (b"TE", b"trailers"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Upgrade", b"h2c"),
        (b"Proxy-Authorization", b"Basic eDp5"),
        (b"X-Kept", b"Yes"),
        (b"X-Kept", b"Twice"),
    ]
    assert end_to_end(fields) == [(b"host", b"a.example"), (b"x-kept", b"Yes"), (b"x-kept", b"Twice")]


def test_host_and_length_cannot_be_taken_away() -> None:
    fields = [(b"connection", b"Host, content-length"), (b"host", b"a"), (b"content-length", b"3")]
    assert end_to_end(fields) == fields[1:]
