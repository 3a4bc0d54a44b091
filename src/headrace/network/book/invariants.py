"""What always holds, checked before anything is committed (operations spec §1.6).

The rest of it the database enforces itself: names that are unique, regions, ranges, pinned host keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sqlalchemy import func, select

from headrace.network.book.view import View
from headrace.network.model import ClientVersion, Host, Server, Status

__all__ = ["problems"]

_LOGIN: Final = ("ssh_username", "ssh_password")
_MEEK_COOKIE: Final = ("meek_cookie_private_key", "meek_obfuscation_key")

#: Capability -> columns of the server, columns of its host, secrets of the server, secrets of its host.
_NEEDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "SSH": (("ssh_port", "ssh_host_key"), (), _LOGIN, ()),
    "OSSH": (("ossh_ports", "ssh_host_key"), (), (*_LOGIN, "obfuscation_key"), ()),
    "TLS": (("tls_port",), (), (), ("meek_obfuscation_key",)),
    "QUIC": (("quic_port",), (), ("obfuscation_key",), ()),
    "SHADOWSOCKS": (("shadowsocks_port",), (), ("shadowsocks_key",), ()),
    "TAPDANCE": (("tapdance_port",), (), ("obfuscation_key",), ()),
    "CONJURE": (("conjure_port",), (), ("obfuscation_key",), ()),
}
_MEEK: Final = ((), ("meek_port", "meek_cookie_public_key"), (), _MEEK_COOKIE)
_FRONTED: Final = (
    (),
    ("meek_port", "meek_cookie_public_key", "fronting_domain", "fronting_host"),
    (),
    _MEEK_COOKIE,
)
_TACTICS: Final = (
    (),
    ("tactics_request_public_key",),
    (),
    ("tactics_request_private_key", "tactics_request_obfuscation_key"),
)
_INPROXY_PORTS: Final = {
    "INPROXY-WEBRTC-SSH": "inproxy_ssh_port",
    "INPROXY-WEBRTC-OSSH": "inproxy_ossh_port",
    "INPROXY-WEBRTC-QUIC": "inproxy_quic_port",
}


def problems(view: View, changed: Iterable[Server], added_versions: Iterable[ClientVersion]) -> Iterator[str]:
    """Yield what is wrong with the changed servers, and with the network because of them."""
    for server in changed:
        yield from _server_problems(server, view.secrets(server), view.secrets(server.host))
    yield from _shared_addresses(view)
    added_versions = list(added_versions)
    added = [version.id for version in added_versions]
    for version in added_versions:
        newest = view.session.scalar(
            select(func.max(ClientVersion.version)).where(
                ClientVersion.platform == version.platform, ClientVersion.id.not_in(added)
            )
        )
        if newest is not None and version.version <= newest:
            yield f"the newest version for {version.platform} is {newest}: {version.version} is not above it"


def missing(server: Server, secrets: Mapping[str, str], host_secrets: Mapping[str, str]) -> Iterator[str]:
    """Yield what the capabilities of a server need and is not there."""
    for capability in server.capabilities:
        for group in _needs(capability):
            columns, host_columns, names, host_names = group
            yield from (f"{capability} needs {name}" for name in columns if not getattr(server, name))
            yield from (
                f"{capability} needs {name}" for name in host_columns if not getattr(server.host, name)
            )
            yield from (f"{capability} needs the secret {name}" for name in names if not secrets.get(name))
            yield from (
                f"{capability} needs the secret {name}" for name in host_names if not host_secrets.get(name)
            )


def _needs(capability: str) -> Iterator[tuple[tuple[str, ...], ...]]:
    if capability in _NEEDS:
        yield _NEEDS[capability]
    if capability.startswith("FRONTED-MEEK"):
        yield _FRONTED
    if capability.startswith("UNFRONTED-MEEK"):
        yield _MEEK
    if capability.endswith("-TACTICS"):
        yield _TACTICS
    if capability.startswith("INPROXY-WEBRTC"):
        port = _INPROXY_PORTS.get(capability)
        yield ((port,) if port else (), ("inproxy_session_public_key",), (), ("inproxy_session_private_key",))


def _server_problems(
    server: Server, secrets: Mapping[str, str], host_secrets: Mapping[str, str]
) -> Iterator[str]:
    status = Status(server.status)
    if not status.alive:
        if secrets:
            yield f"{server.pseudonym}: it is {status}, and still has secrets"
        return
    if not server.address and status != Status.NEW:
        yield f"{server.pseudonym}: it has no address"
    if status != Status.NEW:
        yield from (f"{server.pseudonym}: {each}" for each in missing(server, secrets, host_secrets))


def _shared_addresses(view: View) -> Iterator[str]:
    """Consistent hashing of discovery would not load with an address that is there twice."""
    shared = (
        select(Server.address)
        .join(Host, Server.host_id == Host.id)
        .where(
            Server.discovery_end > view.now,
            Server.status.not_in((Status.REMOVING, Status.GONE)),
            Server.address != "",
        )
        .group_by(Server.address)
        .having(func.count() > 1)
    )
    for address in view.session.scalars(shared):
        yield f"two servers of discovery have the address {address}"
