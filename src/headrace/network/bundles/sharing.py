"""A bundle as a link, and as a QR code: for one person who tells another."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from headrace.base.errors import OperatorError
from headrace.documents.access_link import link_fields, make_link

__all__ = ["MOST_IN_QR", "Shared", "fitting", "qr_picture", "qr_text", "share"]

MOST_IN_QR: Final = 2953
"""Bytes that the largest QR code holds."""

_ENTRIES: Final = "EmbeddedServerEntryList"


@dataclass(frozen=True, slots=True)
class Shared:
    """A link, and of how many servers of the bundle it tells."""

    link: str
    servers: int
    left_out: int = 0


def share(
    bundle: bytes, expires: datetime | None = None, label: str = "", *, servers: int | None = None
) -> Shared:
    """Return a bundle's link; with `servers`, of its first ones only: links are to be short.

    Raises DocumentError.
    """
    configuration = link_fields(json.loads(bundle))
    entries = configuration.get(_ENTRIES, [])
    kept = entries if servers is None else entries[:servers]
    link = make_link({**configuration, _ENTRIES: kept}, expires, label)
    return Shared(link, len(kept), len(entries) - len(kept))


def fitting(bundle: bytes, expires: datetime | None = None, label: str = "") -> Shared:
    """Return the link with as many servers as a QR code holds. Raises OperatorError if that is none."""
    best: Shared | None = None
    for count in range(1, len(json.loads(bundle)[_ENTRIES]) + 1):
        shared = share(bundle, expires, label, servers=count)
        if len(shared.link) > MOST_IN_QR:
            break
        best = shared
    if best is None:
        raise OperatorError(
            "not even one server of this bundle fits into a QR code; share the link as a text"
        )
    return best


def qr_text(link: str) -> str:
    """Return a QR code as lines for a terminal. Raises OperatorError for a link that is too long."""
    out = io.StringIO()
    _code(link).terminal(out, compact=True)
    return out.getvalue()


def qr_picture(link: str, kind: str) -> bytes:
    """Return a QR code as an SVG or PNG. Raises OperatorError."""
    out = io.BytesIO()
    _code(link).save(out, kind=kind, **_PICTURES[kind])
    return out.getvalue()


_PICTURES: Final[Mapping[str, Mapping[str, Any]]] = {"svg": {"scale": 4}, "png": {"scale": 6}}


def _code(link: str) -> Any:
    import segno

    try:
        return segno.make(link, micro=False, error="L", boost_error=False)
    except segno.DataOverflowError:
        raise OperatorError(
            f"this link has {len(link):,} characters, more than the {MOST_IN_QR:,} of a QR code; share fewer"
            " servers"
        ) from None
