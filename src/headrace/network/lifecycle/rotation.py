"""New keys for a server or its host, when old ones may be known to others, or are merely old."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.model import Server
from headrace.ssh.host_keys import HostKey

__all__ = ["WHICH", "rotatable", "rotate_keys"]


@dataclass(frozen=True, slots=True)
class _Group:
    """What is renewed together: secrets, and the columns with public halves of them."""

    secrets: frozenset[str]
    columns: frozenset[str] = frozenset()
    of_host: bool = False  #: shared by all servers on it


_GROUPS: Final = {
    "login": _Group(frozenset({"ssh_username", "ssh_password"})),
    "host-key": _Group(frozenset({"ssh_private_key"}), frozenset({"ssh_host_key"})),
    "obfuscation": _Group(frozenset({"obfuscation_key", "shadowsocks_key"})),
    "web-secret": _Group(frozenset({"web_secret"})),
    "meek": _Group(
        frozenset({"meek_obfuscation_key", "meek_cookie_private_key"}),
        frozenset({"meek_cookie_public_key"}),
        of_host=True,
    ),
    "tactics": _Group(
        frozenset({"tactics_request_private_key", "tactics_request_obfuscation_key"}),
        frozenset({"tactics_request_public_key"}),
        of_host=True,
    ),
    "inproxy": _Group(
        frozenset({"inproxy_session_private_key", "inproxy_session_root_obfuscation_secret"}),
        frozenset({"inproxy_session_public_key"}),
        of_host=True,
    ),
}
WHICH: Final = tuple(_GROUPS)
"""The names of what can be renewed."""

#: For these, everything there is gets made; what is not there already is left out again.
_ALL: Final = ("OSSH", "SHADOWSOCKS", "UNFRONTED-MEEK", "FRONTED-MEEK-TACTICS", "INPROXY-WEBRTC-SSH")


def rotatable(change: Change, server: Server) -> tuple[str, ...]:
    """Return the names of what a server and its host have, and could get new keys of."""
    return tuple(
        name
        for name, group in _GROUPS.items()
        if group.secrets & change.secrets(server.host if group.of_host else server).keys()
    )


def rotate_keys(
    change: Change, server: Server, which: Collection[str], host_key: HostKey | None = None
) -> list[str]:
    """Renew keys of a server, and return the names of the secrets that are new.

    What a host has is renewed for all its servers. A new web secret gives the server a new tag: to clients
    it is another server then. An RSA host key takes a tenth of a second; `host_key` is used instead. Raises
    OperatorError for what a server does not have.
    """
    for name in which:
        if name not in _GROUPS:
            raise OperatorError(f"there are no keys called {name!r}; there are: {', '.join(WHICH)}")
    there = rotatable(change, server)
    for name in which:
        if name not in there:
            raise OperatorError(f"{server.pseudonym} has no {name} keys: nothing it does needs them")
    own = make_server_secrets(_ALL, change.rng, host_key if "host-key" in which else _UNUSED)
    shared = make_host_secrets(_ALL, change.rng)
    renewed = []
    for name in dict.fromkeys(which):
        group = _GROUPS[name]
        owner, made = (server.host, shared) if group.of_host else (server, own)
        names = group.secrets & change.secrets(owner).keys()
        change.set_secrets(owner, {each: made.secrets[each] for each in names})
        for column in group.columns:
            if getattr(owner, column):
                setattr(owner, column, made.columns[column])
        renewed += sorted(names)
    return renewed


#: Stands for a host key where none is wanted: making one takes long.
_UNUSED: Final = HostKey.generate("ed25519")
