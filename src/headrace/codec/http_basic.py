"""Who an application says it is, in the one way of logging in that the HTTP proxy knows: Basic (RFC 7617)."""

import base64
import binascii

__all__ = ["basic_credentials"]


def basic_credentials(value: bytes) -> tuple[bytes, bytes] | None:
    """Return user and password from the value of Proxy-Authorization; None if they are not in it."""
    scheme, _, encoded = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None
