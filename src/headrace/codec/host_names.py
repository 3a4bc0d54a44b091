"""What a destination is called when a proxy is asked for it: an address literal or a name, in ASCII.

Names in other scripts are written in Punycode (IDNA 2008 with the mappings of UTS 46, as browsers do).
"""

import ipaddress
import re
from typing import Final

from headrace.base.errors import NetworkError

__all__ = ["MAX_NAME", "authority", "parse_host", "question_name"]

#: Letters of a host name.
MAX_NAME: Final = 255
#: Letters of a name that DNS can be asked for.
_LONGEST: Final = 253
_LABELS: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def parse_host(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | str:
    """Return the address that `host` is, or the name in ASCII.

    Raises NetworkError for what no host can be called, and for an address with a zone, which means something
    on this machine only.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _ascii(host)
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise NetworkError("an address with a zone cannot be reached through a proxy")
    return address


def authority(host: str, port: int) -> str:
    """Return `host:port` as HTTP writes it, `[2001:db8::7]:443` for an IPv6 address. Raises NetworkError."""
    parsed = parse_host(host)
    return f"[{parsed}]:{port}" if isinstance(parsed, ipaddress.IPv6Address) else f"{parsed}:{port}"


def question_name(name: str) -> str | None:
    """Return a name in the one form in which name servers are asked for it, None for what none can know.

    Letters are small, in ASCII (IDNA 2003, as resolvers have it), and there is no dot at the end.
    """
    lowered = name.lower().removesuffix(".")
    if len(lowered) <= _LONGEST and not lowered.isascii():
        try:
            lowered = lowered.encode("idna").decode()
        except UnicodeError:
            return None
    return lowered if len(lowered) <= _LONGEST and _LABELS.fullmatch(lowered) else None


def _ascii(host: str) -> str:
    if not host.isascii() and len(host) <= MAX_NAME:
        import idna  # seldom needed

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise NetworkError("no host has such a name") from error
    if not (0 < len(host) <= MAX_NAME and host.isascii() and host.isprintable()) or " " in host:
        raise NetworkError("no host has such a name")
    return host
