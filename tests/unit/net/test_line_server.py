"""Questions and answers on a Unix socket: what one side refuses. The rest is tested with who uses it."""

from headrace.net.line_server import read_refusal


def test_refusals() -> None:
    assert read_refusal(b'{"error":"why"}\n') == "why"
    assert read_refusal(b'{"state":"connected"}') == read_refusal(b"null") == read_refusal(b"\xff") == ""
