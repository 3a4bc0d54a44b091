"""Where a configuration wants the local proxies, and who may use them: what is wrong with it.

Addresses, ports and paths are those of client spec §2.1.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from headrace.documents.client_config_fields import ClientConfig

__all__ = ["local_proxy_mistakes"]

#: Bytes of a Unix socket's path: the system's 108, less room for what other systems need.
_MAX_PATH: Final = 103
#: Bytes of a user name and of a password: SOCKS has one byte for the length (RFC 1929 §2).
_MAX_CREDENTIAL: Final = 255
_MAX_ATTEMPTS: Final = 100

_Mistakes: TypeAlias = Iterator[tuple[str, str]]


def local_proxy_mistakes(config: ClientConfig) -> _Mistakes:
    """Yield each mistake as a field, and what is wrong with it and what to write instead."""
    yield from _ports(config)
    if config.use_unix_domain_sockets:
        yield from _paths(config)
    yield from _credentials(config)


def _ports(config: ClientConfig) -> _Mistakes:
    socks, http = config.local_socks_proxy_port, config.local_http_proxy_port
    for name, port in (("LocalSocksProxyPort", socks), ("LocalHttpProxyPort", http)):
        if not 0 <= port <= 0xFFFF:
            yield name, f"{port} is no port: write 1 to 65535, or 0 to let the system choose"
    if not 1 <= config.local_proxy_port_attempts <= _MAX_ATTEMPTS:
        yield "LocalProxyPortAttempts", f"write 1 to {_MAX_ATTEMPTS}"
    both = not (config.disable_local_socks_proxy or config.disable_local_http_proxy)
    if both and socks == http != 0 and not config.use_unix_domain_sockets:
        yield "LocalHttpProxyPort", "is the same as LocalSocksProxyPort: choose another, or 0"


def _paths(config: ClientConfig) -> _Mistakes:
    socks, http = config.local_socks_proxy_unix_path, config.local_http_proxy_unix_path
    proxies = (
        ("LocalSocksProxyUnixPath", config.disable_local_socks_proxy, socks),
        ("LocalHttpProxyUnixPath", config.disable_local_http_proxy, http),
    )
    for name, disabled, path in proxies:
        if disabled:
            continue
        if not path:
            yield name, "is missing: UseUnixDomainSockets needs it"
        elif not path.startswith(("/", "@")) or path == "@" or not path.isprintable():
            yield name, "write a whole path, from / on, or @ and a name"
        elif len(path.encode()) > _MAX_PATH:
            yield name, f"is longer than {_MAX_PATH} bytes: choose a shorter path"
    if socks == http and not (config.disable_local_socks_proxy or config.disable_local_http_proxy):
        yield "LocalHttpProxyUnixPath", "is the same as LocalSocksProxyUnixPath: choose another"


def _credentials(config: ClientConfig) -> _Mistakes:
    user, password = config.local_proxy_username, config.local_proxy_password
    if bool(user) != bool(password):
        yield "LocalProxyUsername", "works together with LocalProxyPassword only: give both, or neither"
    if ":" in user:
        yield "LocalProxyUsername", "must not have a colon: HTTP has no room for it"
    for name, text in (("LocalProxyUsername", user), ("LocalProxyPassword", password)):
        if not text.isprintable() or len(text.encode()) > _MAX_CREDENTIAL:
            yield name, f"write {_MAX_CREDENTIAL} bytes at most, and nothing that cannot be seen"
