"""Every choice made for one attempt to reach a server, made before the attempt begins."""

import base64
import binascii
import ipaddress
from dataclasses import dataclass
from typing import Final

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.documents.server_entry import ServerEntry
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import ClientPrefix, PrefixSpecs

__all__ = ["DialParameters", "choose"]

#: Identifications of clients that are common in the field; none is tied to what the server is.
_IDENTIFICATIONS = (
    "SSH-2.0-OpenSSH_8.4",
    "SSH-2.0-OpenSSH_8.9",
    "SSH-2.0-OpenSSH_9.2",
    "SSH-2.0-OpenSSH_9.6",
    "SSH-2.0-OpenSSH_9.9",
)
#: Characters in the longest text of an IPv6 address.
_LONGEST_ADDRESS: Final = 45


@dataclass(frozen=True, slots=True)
class DialParameters:
    """One attempt: which entry over which protocol, and as whom we present ourselves."""

    entry: ServerEntry
    protocol: str
    host: str
    port: int
    host_key: bytes  #: the only public key blob to accept
    identification: str
    candidate_number: int = 0
    prefix: ClientPrefix | None = None  #: what the connection begins with, if anything
    padding: tuple[int, int] = (MIN_CLIENT_PADDING, MAX_PADDING)  #: least and most bytes of padding behind it
    head_start: bool = False  #: the server was the last one used: others wait for it a moment

    @property
    def diagnostic_id(self) -> str:
        return self.entry.diagnostic_id


def choose(
    entry: ServerEntry,
    protocol: str,
    rng: Rng,
    candidate_number: int = 0,
    *,
    prefixes: PrefixSpecs | None = None,
    padding: tuple[int, int] = (MIN_CLIENT_PADDING, MAX_PADDING),
    head_start: bool = False,
) -> DialParameters:
    """Make the choices for one attempt; a prefix is drawn from `prefixes` where the protocol can have one.

    Raises DocumentError if the entry lacks what the protocol needs.
    """
    if not _is_address(entry.ip_address):  # a name would be looked up for all to see
        raise DocumentError("the server entry's ipAddress is not an IP address")
    port = entry.dial_port(protocol)
    if not 0 < port <= 0xFFFF:
        raise DocumentError(f"the server entry has no usable port for {protocol}")
    if not entry.ssh_obfuscated_key and protocol != "SSH":
        raise DocumentError(f"the server entry has no sshObfuscatedKey, which {protocol} needs")
    try:
        host_key = base64.b64decode(entry.ssh_host_key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError("the server entry's sshHostKey is not base64") from error
    if not host_key:
        raise DocumentError("the server entry has no sshHostKey")
    prefixed = prefixes is not None and protocol == "OSSH" and not entry.disable_ossh_prefix
    return DialParameters(
        entry=entry,
        protocol=protocol,
        host=entry.ip_address,
        port=port,
        host_key=host_key,
        identification=rng.choice(_IDENTIFICATIONS),
        prefix=prefixes.draw(port, rng) if prefixes is not None and prefixed else None,
        padding=padding,
        candidate_number=candidate_number,
        head_start=head_start,
    )


def _is_address(text: str) -> bool:
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
