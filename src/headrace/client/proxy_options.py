"""What the local proxies' connections have to know of how they are offered."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ProxyCredentials", "ProxyOptions"]


@dataclass(frozen=True, slots=True)
class ProxyCredentials:
    """What an application must say before it is served."""

    username: str
    password: str = field(repr=False)

    def match(self, username: bytes, password: bytes) -> bool:
        """Compare both, in the same time wherever they differ."""
        same_name = hmac.compare_digest(username, self.username.encode())
        same_password = hmac.compare_digest(password, self.password.encode())
        return same_name and same_password


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """`shared` means that others than this machine's own programs can reach the proxies."""

    credentials: ProxyCredentials | None = None
    shared: bool = False
    ports: Mapping[str, int] = field(default_factory=dict)  #: of "Socks" and "Http", once they listen
