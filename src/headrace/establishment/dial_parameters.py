"""Every choice made for one attempt to reach a server, made before the attempt begins.

What worked once can so be done again in exactly the same way (`replay`). Never among the choices are keys and
the bytes of padding and of seeds: those are new each time.
"""

import base64
import binascii
import ipaddress
from dataclasses import dataclass, field
from typing import Final

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng, SeededRng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.latency import draw_multiplier
from headrace.obfuscation.prefix import ClientPrefix, PrefixSpecs
from headrace.ssh.liveness import LivenessRequest
from headrace.ssh.shaping import Policy

__all__ = ["SEED_SIZE", "DialParameters", "choose"]

#: Bytes of the seed that later choices of lengths are drawn from.
SEED_SIZE: Final = 32
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
    """One attempt: which entry over which protocol, as whom we present ourselves, and what it looks like."""

    entry: ServerEntry
    protocol: str
    host: str
    port: int
    host_key: bytes  #: the only public key blob to accept
    identification: str
    padding: int  #: bytes of padding in the first message
    seed: bytes = field(repr=False)  #: what `shape` is made from
    prefix: ClientPrefix | None = None  #: what the connection begins with, if anything
    shape_streams: bool = False  #: have our own servers shape port forwards with us
    latency_multiplier: float = 1.0  #: how many times as patient as usual to be
    liveness: LivenessRequest | None = None  #: the test to pass once logged in, if any
    candidate_number: int = 1  #: counted over an establishment
    is_replay: bool = False  #: the choices are those of an attempt that went well
    replay_ignored_change: bool = False  #: and are made again though the configuration is another by now
    head_start: bool = False  #: the server was the last one used: others wait for it a moment
    network_id: str = field(default="", repr=False)  #: the network it is made from

    @property
    def diagnostic_id(self) -> str:
        return self.entry.diagnostic_id

    def shape(self) -> Rng:
        """Return what draws the lengths of the handshake's packets, and nothing secret."""
        return SeededRng(self.seed)

    @property
    def shaping(self) -> Policy | None:
        """How port forwards are to be shaped, if they are: drawn from the seed."""
        return Policy.draw(SeededRng(self.seed + b"streams")) if self.shape_streams else None


def choose(
    entry: ServerEntry,
    protocol: str,
    rng: Rng,
    candidate_number: int = 1,
    *,
    settings: DialSettings | None = None,
    network_id: str = "",
) -> DialParameters:
    """Make the choices for one attempt, as `settings` allow.

    Raises DocumentError if the entry lacks what the protocol needs.
    """
    settings = settings or DialSettings()
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
    prefixes = settings.prefixes_for(entry) if protocol == "OSSH" else PrefixSpecs()
    prefix = prefixes.draw(port, rng)
    least, most = settings.padding
    if prefix is not None and prefixes.padding is not None:
        most = max(least, min(most, prefixes.padding[1]))
    liveness = LivenessRequest(rng.between(*settings.liveness_up), rng.between(*settings.liveness_down))
    return DialParameters(
        entry=entry,
        protocol=protocol,
        host=entry.ip_address,
        port=port,
        host_key=host_key,
        identification=rng.choice(_IDENTIFICATIONS),
        padding=rng.between(least, most),
        seed=rng.bytes(SEED_SIZE),
        prefix=prefix,
        shape_streams=settings.shape_streams,
        latency_multiplier=draw_multiplier(rng, settings.latency_lambda),
        liveness=liveness if liveness.up or liveness.down else None,
        candidate_number=candidate_number,
        network_id=network_id,
    )


def _is_address(text: str) -> bool:
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
