"""IP addresses in their usual text form, parsed once however often they are asked about."""

import ipaddress
from functools import lru_cache
from typing import Final

__all__ = ["Address", "parse_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST: Final = 45  # characters in the longest text of an IPv6 address


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Return the address, or None for what is no plain IP address.

    Octal, hexadecimal and shortened forms, which some resolvers take for addresses, are none here; nor is
    anything with a zone.
    """
    if len(text) > _LONGEST or "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
