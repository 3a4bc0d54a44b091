"""What the local proxies' connections have to know of how they are offered."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final, Self
from weakref import WeakSet

from headrace.documents.client_config import ClientConfig
from headrace.net.interfaces import LOOPBACK, listening_address
from headrace.net.tls import Trust

__all__ = ["PRIVATE", "ProxyCredentials", "ProxyOptions"]

_OPEN_TO_ALL: Final = (
    "anybody who reaches this machine can use its proxies; set a name and a password with --proxy-user, or "
    "LocalProxyUsername and LocalProxyPassword in the configuration"
)


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
    address: str = LOOPBACK  #: where they are on those ports
    connections: WeakSet[asyncio.Transport] = field(default_factory=WeakSet)  #: those that are open
    trust: Trust = field(default_factory=Trust)  #: for origins that the URL proxy asks

    @classmethod
    def of(cls, config: ClientConfig, ports: Mapping[str, int] = MappingProxyType({})) -> Self:
        """Return what is configured. Raises OperatorError for an interface that is not there."""
        address = listening_address(config.listen_interface)
        user, password = config.local_proxy_username, config.local_proxy_password
        return cls(
            credentials=ProxyCredentials(user, password) if user else None,
            shared=not (config.use_unix_domain_sockets or ip_address(address).is_loopback),
            ports=ports,
            address=address,
            trust=Trust.from_config(config),
        )

    @property
    def warning(self) -> str:
        """What the user is to know before others do; empty if there is nothing."""
        return _OPEN_TO_ALL if self.shared and self.credentials is None else ""


#: For this machine's own programs, all of them.
PRIVATE: Final = ProxyOptions()
