"""Names and passwords in Proxy-Authorization."""

import base64

import pytest

from headrace.codec.http_basic import basic_credentials


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"ann:secret", (b"ann", b"secret")),
        (b"ann:with:colons", (b"ann", b"with:colons")),
        ("Jörg:Füße".encode(), ("Jörg".encode(), "Füße".encode())),
        (b":", (b"", b"")),
        (b"ann", None),
    ],
)
@pytest.mark.parametrize("scheme", [b"Basic ", b"BASIC  "])
def test_what_is_said(scheme: bytes, said: bytes, expected: tuple[bytes, bytes] | None) -> None:
    assert basic_credentials(scheme + base64.b64encode(said)) == expected


@pytest.mark.parametrize("value", [b"", b"Basic", b"Basic !", b"Bearer YTpi", b"Basic YTpi Yg=="])
def test_nonsense(value: bytes) -> None:
    assert basic_credentials(value) is None
