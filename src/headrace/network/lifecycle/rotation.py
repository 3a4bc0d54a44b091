"""New keys for a server or its host, when old ones may be known to others, or are merely old."""

from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.book import Change
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.model import Server
from headrace.ssh.host_keys import HostKey

__all__ = ["WHICH", "rotate_keys"]

#: What can be renewed: name -> columns and secrets of the server, columns and secrets of its host.
_GROUPS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "login": (frozenset({"ssh_username", "ssh_password"}), frozenset()),
    "host-key": (frozenset({"ssh_private_key", "ssh_host_key"}), frozenset()),
    "obfuscation": (frozenset({"obfuscation_key", "shadowsocks_key"}), frozenset()),
    "web-secret": (frozenset({"web_secret"}), frozenset()),
    "meek": (
        frozenset(),
        frozenset({"meek_obfuscation_key", "meek_cookie_private_key", "meek_cookie_public_key"}),
    ),
    "tactics": (
        frozenset(),
        frozenset(
            {
                "tactics_request_private_key",
                "tactics_request_obfuscation_key",
                "tactics_request_public_key",
            }
        ),
    ),
}
WHICH: Final = tuple(_GROUPS)
"""The names of what can be renewed."""


def rotate_keys(
    change: Change, server: Server, which: tuple[str, ...], host_key: HostKey | None = None
) -> None:
    """Renew keys of a server. A new web secret gives it a new tag: to clients it is another server then.

    Raises OperatorError for what it does not have.
    """
    renewed = make_server_secrets(
        server.capabilities, change.rng, host_key if "host-key" in which else _UNUSED
    )
    renewed_host = make_host_secrets(server.capabilities, change.rng)
    for name in which:
        own, shared = _GROUPS[name]
        found = False
        for owner, made, names in ((server, renewed, own), (server.host, renewed_host, shared)):
            secrets = {each: made.secrets[each] for each in names if each in made.secrets}
            if secrets:
                change.set_secrets(owner, secrets)
            for each in names & made.columns.keys():
                setattr(owner, each, made.columns[each])
            found = found or bool(secrets)
        if not found:
            raise OperatorError(f"{server.pseudonym} has no {name} keys: nothing it does needs them")


#: Stands for a host key where none is wanted: making one takes long.
_UNUSED: Final = HostKey.generate("ed25519")
