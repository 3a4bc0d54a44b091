"""Where registry and lists are, below one root (server lists spec §3.5, 4.5)."""

import posixpath
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from headrace.base.errors import DocumentError

__all__ = ["REGISTRY_NAME", "file_name", "file_url", "registry_url"]

#: The name of the registry's file.
REGISTRY_NAME: Final = "osl-registry"

_PLAIN: Final = "/$&+,:;=@"  # characters that stay as they are in a path, besides letters, digits and -._~


def file_name(osl_id: bytes) -> str:
    """Return the name of a list's file."""
    return f"osl-{osl_id.hex()}"


def registry_url(root: str) -> str:
    """Return the URL of the registry. Raises DocumentError if `root` is no URL."""
    return _below(root, REGISTRY_NAME)


def file_url(root: str, osl_id: bytes) -> str:
    """Return the URL of a list. Raises DocumentError if `root` is no URL."""
    return _below(root, file_name(osl_id))


def _below(root: str, name: str) -> str:
    """Append to the path, which is cleaned of dots and needless slashes; a query stays."""
    try:
        parts = urlsplit(root)
    except ValueError as error:
        raise DocumentError("the root of the server lists is no URL") from error
    path = posixpath.normpath(b"/%s/%s" % (unquote_to_bytes(parts.path), name.encode()))
    return parts._replace(path="/" + quote(path.lstrip(b"/"), safe=_PLAIN)).geturl()
