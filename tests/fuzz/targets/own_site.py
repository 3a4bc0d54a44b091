"""Hosts, Origins and Referers: any values name this machine or are refused."""

from headrace.base.errors import RemoteProtocolError
from headrace.client.own_site import OwnSite

SEEDS = [
    b"127.0.0.1:8080\nhttp://127.0.0.1:8080\nhttp://127.0.0.1:8080/x",
    b"[::1]:8080\n\n",
    b"192.0.2.7\nhttp://192.0.2.7:80\n",
    b'[::1%"]:1\nnull\nhttp://a.example@127.0.0.1/',
]


def fuzz(data: bytes) -> None:
    """`data` are the values of three headers of a request to the local HTTP proxy."""
    values = [*data.split(b"\n"), b"", b""][:3]
    names = (b"host", b"origin", b"referer")
    headers = [(name, value) for name, value in zip(names, values, strict=True) if value]
    try:
        site = OwnSite.of(headers, ("192.0.2.7", 8080))
    except RemoteProtocolError:
        return
    assert site is not None
    assert all(character.isalnum() or character in "[]:.-" for character in site.host)
