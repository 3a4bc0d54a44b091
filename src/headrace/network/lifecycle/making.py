"""Keys and passwords of new servers and hosts, in the forms that `model.secrets` names."""

import base64
from collections.abc import Collection
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headrace.base.rng import Rng
from headrace.ssh.host_keys import HostKey

__all__ = ["Made", "make_host_secrets", "make_server_secrets"]

_KEYWORD_CAPABILITIES = ("OSSH", "QUIC", "TAPDANCE", "CONJURE")


@dataclass(slots=True)
class Made:
    """What is new of an entity: columns, and secrets, which no repr shows."""

    columns: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def make_server_secrets(capabilities: Collection[str], rng: Rng, host_key: HostKey | None = None) -> Made:
    """Return log-in, host key, web secret, and what the capabilities need besides.

    An RSA host key, which all clients know, takes a tenth of a second; `host_key` is used instead.
    """
    key = host_key or HostKey.generate("rsa", 2048)
    made = Made(
        {"ssh_host_key": base64.b64encode(key.blob).decode()},
        {
            "ssh_username": "psiphon_" + rng.bytes(8).hex(),
            "ssh_password": rng.bytes(32).hex(),
            "ssh_private_key": key.to_pem(),
            "web_secret": rng.bytes(32).hex(),
        },
    )
    if any(name in capabilities for name in _KEYWORD_CAPABILITIES):
        made.secrets["obfuscation_key"] = rng.bytes(32).hex()
    if "SHADOWSOCKS" in capabilities:
        made.secrets["shadowsocks_key"] = base64.b64encode(rng.bytes(32)).decode()
    return made


def make_host_secrets(capabilities: Collection[str], rng: Rng) -> Made:
    """Return what the servers on a host share and these capabilities need."""
    made = Made()
    with_meek = any("MEEK" in name for name in capabilities)
    if with_meek or "TLS" in capabilities:
        made.secrets["meek_obfuscation_key"] = rng.bytes(32).hex()
    if with_meek:
        private, public = _box_keys()
        made.secrets["meek_cookie_private_key"] = private
        made.columns["meek_cookie_public_key"] = public
    if any(name.endswith("-TACTICS") for name in capabilities):
        private, public = _box_keys()
        made.secrets["tactics_request_private_key"] = private
        made.secrets["tactics_request_obfuscation_key"] = base64.b64encode(rng.bytes(32)).decode()
        made.columns["tactics_request_public_key"] = public
    if any(name.startswith("INPROXY") for name in capabilities):
        key = Ed25519PrivateKey.generate()
        public_half = key.public_key().public_bytes_raw()
        made.secrets["inproxy_session_private_key"] = _unpadded(key.private_bytes_raw() + public_half)
        made.secrets["inproxy_session_root_obfuscation_secret"] = _unpadded(rng.bytes(32))
        made.columns["inproxy_session_public_key"] = _unpadded(public_half)
    return made


def _unpadded(data: bytes) -> str:
    """Return base64 as the in-proxy sessions of the deployed servers have it."""
    return base64.b64encode(data).decode().rstrip("=")


def _box_keys() -> tuple[str, str]:
    """Return a pair of X25519 keys, private and public, as base64."""
    key = X25519PrivateKey.generate()
    halves = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    private, public = (base64.b64encode(half).decode() for half in halves)
    return private, public
