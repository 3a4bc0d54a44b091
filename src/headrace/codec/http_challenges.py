"""The ways to log in that Proxy-Authenticate headers offer (RFC 9110 §11.3).

    Digest realm="a, b", nonce="c", qop="auth", Basic realm=x      two challenges in one header
    NTLM TlRMTVNTUAACAAAA...                                       one with data

Commas stand between challenges, between parameters, and inside quoted values; proxies are sloppy about all
three. What cannot be understood is left out, up to the next comma, and the rest is read on: nothing raises.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MAX_CHALLENGES", "Challenge", "parse_challenges", "quote"]

#: A proxy has a handful. More are not looked at.
MAX_CHALLENGES: Final = 32

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: No alternative matches a text in two ways, so that matching takes time in proportion to what is matched.
_PIECE: Final = re.compile(
    rf"""[ \t]*(?:
        (?P<name>{_WORD})[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s",=]+))(?=[ \t,]|\Z)
      | (?P<scheme>{_WORD})(?:[ \t]+(?P<data>[A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|\Z))|(?=[ \t,]|\Z))
      )[ \t]*,?""",
    re.VERBOSE | re.DOTALL,
)
#: What is skipped: up to a comma that is not in quotes. Quotes that are never closed reach to the end.
_GARBAGE: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,"])*,?', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A way to log in: `scheme` and the parameters' names are in lower case, values without their quotes."""

    scheme: str
    data: str = ""  #: base64, of NTLM and its like; others have parameters
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return what these header values offer, in order. A parameter that is said twice counts once."""
    found: list[Challenge] = []
    for header in headers:
        current: Challenge | None = None
        position = 0
        while position < len(header) and len(found) < MAX_CHALLENGES:
            piece = _PIECE.match(header, position)
            if piece is None:
                garbage = _GARBAGE.match(header, position)
                assert garbage is not None  # it is never empty: a comma at least
                position = garbage.end()
                continue
            position = piece.end()
            if piece["scheme"]:
                current = Challenge(piece["scheme"].lower(), piece["data"] or "")
                found.append(current)
            elif current is not None:
                value = piece["plain"] if piece["quoted"] is None else _ESCAPE.sub(r"\1", piece["quoted"])
                current.parameters.setdefault(piece["name"].lower(), value)
    return found


def quote(text: str) -> str:
    """Return a quoted string (RFC 9110 §5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
