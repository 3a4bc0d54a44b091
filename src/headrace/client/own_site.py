"""Who may ask the HTTP proxy for pages of its own: programs, and those pages themselves, but no web page.

A web page can have the browser ask for anything, from `http://127.0.0.1:8080` as well as from a name of its
own that leads here. The name is found out by its Host header, other pages by what browsers say of where a
request comes from: Sec-Fetch-Site, Origin and Referer (client spec §2.4).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from headrace.base.errors import RemoteProtocolError

__all__ = ["OwnSite"]

_FROM_HERE: Final = (b"same-origin", b"none")  # none: the user's own doing


@dataclass(frozen=True, slots=True)
class OwnSite:
    """Where the proxy was found: `host` as in a URL, so that IPv6 addresses are in brackets."""

    host: str
    port: int

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], here: object) -> Self | None:
        """Return where a request with these headers, names in lower case, meant to go.

        `here` is its socket's own name. None for a Unix socket, which has no place on the web and which no
        browser connects to. Raises RemoteProtocolError, with a text for people, for what may have come
        from a web page.
        """
        if isinstance(here, str | bytes):
            return None
        values = dict(headers)
        site = cls._asked(values.get(b"host", b"").decode("latin-1"))
        if site is None or not site._is_here(here):
            raise RemoteProtocolError("this proxy is to be asked for by its address")
        origins = [values[name].decode("latin-1") for name in (b"origin", b"referer") if name in values]
        if values.get(b"sec-fetch-site", b"none") not in _FROM_HERE or not all(map(site._began, origins)):
            raise RemoteProtocolError("web pages may not use this proxy")
        return site

    @property
    def url(self) -> str:
        """The site's root, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @classmethod
    def _asked(cls, authority: str) -> Self | None:
        """Return the site of an authority, None if it is no site at all."""
        try:
            parts = urlsplit(f"//{authority}")
            host, port = parts.hostname, 80 if parts.port is None else parts.port
        except ValueError:
            return None
        if (
            not host or parts.netloc != authority or "@" in authority or "%" in authority
        ):  # a zone is any text
            return None
        return cls(f"[{host}]" if ":" in host else host, port)

    def _is_here(self, here: object) -> bool:
        """Whether the site is this machine, by an address that nobody else can give another meaning."""
        if self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or (isinstance(here, tuple) and str(address) == here[0])

    def _began(self, url: str) -> bool:
        """Whether a URL is within this site."""
        scheme, _, rest = url.partition("://")
        return scheme.lower() == "http" and OwnSite._asked(rest.partition("/")[0]) == self
