"""`UpstreamProxyURL`: the proxy that everything the client connects to is reached through (client spec §3).

    http://proxy:8080    socks4a://proxy:1080    socks5://user:password@proxy:1080    http://[2001:db8::1]:3128

What is special in a user name or password is percent-encoded: `CORP%5Cann` is `CORP\\ann`.
"""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from headrace.base.errors import DocumentError
from headrace.codec.socks_client import MAX_TEXT

__all__ = ["ProxyURL"]

SCHEMES: Final = ("http", "socks4a", "socks5")


@dataclass(frozen=True, slots=True)
class ProxyURL:
    """Where the proxy is, what it speaks, and what it knows us by. Its repr shows the scheme only."""

    scheme: str
    host: str = field(repr=False)
    port: int = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL. Raises DocumentError, which repeats nothing of it."""
        try:
            parts = urlsplit(text.strip())
            host, port = parts.hostname or "", parts.port or 0
            if ":" in host:
                host = unquote(host)  # a zone is written %25eth0 (RFC 6874)
            user = unquote(parts.username or "", errors="strict")
            password = unquote(parts.password or "", errors="strict")
        except ValueError:  # its text would quote what may be a password
            raise DocumentError("is not a URL: write for instance http://proxy.example:8080") from None
        if parts.scheme not in SCHEMES:
            raise DocumentError(f"must begin with one of {', '.join(f'{name}://' for name in SCHEMES)}")
        if not host or not host.isprintable() or " " in host:
            raise DocumentError("names no host: write for instance http://proxy.example:8080")
        if not port:
            raise DocumentError("names no port: add it after the host, like :8080")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise DocumentError(
                "has more than host and port: in a user name or password write / as %2F, ? as %3F, # as %23"
            )
        proxy = cls(parts.scheme, host, port, user, password)
        proxy._check_login()
        return proxy

    def _check_login(self) -> None:
        if self.password and not self.user:
            raise DocumentError("has a password and no user name: write user:password@ before the host")
        if self.scheme == "http":
            if ":" in self.user:
                raise DocumentError("has a colon in its user name, which HTTP proxies cannot be told")
            if not self.user.isprintable():
                raise DocumentError("has a control character in its user name: leave it out")
            return
        if "\0" in self.user or max(len(self.user.encode()), len(self.password.encode())) > MAX_TEXT:
            raise DocumentError(
                f"has a user name or password that SOCKS cannot carry: {MAX_TEXT} bytes at most"
            )
        if self.scheme == "socks5" and self.user and not self.password:
            raise DocumentError("has a user name and no password: write user:password@ before the host")
