"""Make everything a new server needs: its keys, its configuration files, and the entry that lets clients in.

    psiphond.config                 the server's configuration, with its secrets
    psiphond-traffic-rules.config   what clients may use
    psiphond-tactics.config         how the server answers prefixes
    server-entry.dat                the encoded server entry, for clients; it holds what a client must know

Names and fields are those of the deployed server program, which can run on these files as well.
"""

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.documents.capabilities import (
    IMPLEMENTED_PROTOCOLS,
    SHIPPED_PREFIXES,
    SSH_API_REQUESTS,
    capability_name,
)
from headrace.documents.entry_fields import derived_tag, encode_fields
from headrace.documents.server_files import (
    CONFIG_FILE,
    LOAD_PERIOD,
    SSH_VERSION,
    TACTICS_FILE,
    TRAFFIC_RULES_FILE,
    UDPGW_ADDRESS,
    default_tactics,
    default_traffic_rules,
    encode_file,
)
from headrace.ssh.host_keys import HostKey

__all__ = ["CONFIG_FILE", "ENTRY_FILE", "TACTICS_FILE", "TRAFFIC_RULES_FILE", "Generated", "generate_server"]

ENTRY_FILE: Final = "server-entry.dat"

_PORT_FIELDS: Final = {"SSH": "sshPort", "OSSH": "sshObfuscatedPort"}
_REGION: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Generated:
    """The files of a new server by name, and the encoded entry. All but the entry must stay on the server."""

    files: Mapping[str, bytes]
    entry: str

    def write(self, directory: Path, *, force: bool = False) -> None:
        """Write the files, readable for their owner only: all of them, or none.

        Raises OperatorError when one of them exists already, unless `force` is set: keys that clients hold
        would be lost.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(directory, force)
        except FileExistsError as error:
            raise OperatorError(
                f"{error.filename} exists already: choose another directory, or replace its keys with --force"
            ) from error
        except OSError as error:
            raise OperatorError(f"{directory}: cannot write: {os.strerror(error.errno or 0)}") from error

    def _write(self, directory: Path, force: bool) -> None:
        targets = [directory / name for name in self.files]
        if not force:
            for target in targets:
                if target.exists() or target.is_symlink():
                    raise FileExistsError(0, "", str(target))
        drafts = [target.with_name(f".{target.name}.new") for target in targets]
        try:
            for draft, data in zip(drafts, self.files.values(), strict=True):
                draft.unlink(missing_ok=True)
                _write_private(draft, data)
            for draft, target in zip(drafts, targets, strict=True):
                draft.replace(target)
        finally:
            for draft in drafts:
                draft.unlink(missing_ok=True)


def generate_server(
    *,
    ip: str,
    protocols: Mapping[str, int],
    region: str = "",
    rng: Rng = SYSTEM_RNG,
    host_key: HostKey | None = None,
) -> Generated:
    """Return a new server at `ip` that speaks `protocols` on their ports; `region` is its country code.

    A host key is made unless one is given. Raises OperatorError.
    """
    _check(ip, protocols, region)
    key = host_key or HostKey.generate("rsa", 2048)
    user, password = "psiphon_" + rng.bytes(8).hex(), rng.bytes(32).hex()
    keyword = rng.bytes(32).hex()
    entry: dict[str, object] = {
        "ipAddress": ip,
        "webServerSecret": rng.bytes(32).hex(),
        "sshUsername": user,
        "sshPassword": password,
        "sshHostKey": base64.b64encode(key.blob).decode(),
        "sshObfuscatedKey": keyword,
        "capabilities": [
            SSH_API_REQUESTS,
            *map(capability_name, protocols),
            *([SHIPPED_PREFIXES] if "OSSH" in protocols else []),
        ],
        **{_PORT_FIELDS[protocol]: port for protocol, port in protocols.items()},
    }
    if region:
        entry["region"] = region
    entry["tag"] = tag = derived_tag(entry)
    line = encode_fields(entry)
    config = {
        "LogLevel": "info",
        "HostID": "host-" + rng.bytes(4).hex(),
        "ServerIPAddress": ip,
        "TunnelProtocolPorts": dict(protocols),
        "SSHPrivateKey": key.to_pem(),
        "SSHServerVersion": SSH_VERSION,
        "SSHUserName": user,
        "SSHPassword": password,
        "ObfuscatedSSHKey": keyword,
        "DiscoveryValueHMACKey": base64.b64encode(rng.bytes(32)).decode(),
        "UDPInterceptUdpgwServerAddress": UDPGW_ADDRESS,
        "LoadMonitorPeriodSeconds": LOAD_PERIOD,
        "TrafficRulesFilename": TRAFFIC_RULES_FILE,
        "TacticsConfigFilename": TACTICS_FILE,
        "OwnEncodedServerEntries": {tag: line},
    }
    files = {
        TRAFFIC_RULES_FILE: encode_file(default_traffic_rules()),
        TACTICS_FILE: encode_file(default_tactics()),
        ENTRY_FILE: line.encode() + b"\n",
        CONFIG_FILE: encode_file(config),
    }
    return Generated(files, line)


def _check(ip: str, protocols: Mapping[str, int], region: str) -> None:
    try:
        valid = "%" not in ip and bool(ipaddress.ip_address(ip))
    except ValueError:
        valid = False
    if not valid:
        raise OperatorError(f"{ip!r} is not an IP address: give the address clients will connect to")
    spoken = " and ".join(IMPLEMENTED_PROTOCOLS)
    if not protocols:
        raise OperatorError(f"a server needs a tunnel protocol: this program speaks {spoken}")
    for protocol, port in protocols.items():
        if protocol not in _PORT_FIELDS:
            raise OperatorError(
                f"{protocol} is not a tunnel protocol this program speaks: those are {spoken}"
            )
        if not 0 < port <= 0xFFFF:
            raise OperatorError(f"{protocol} cannot listen on port {port}: give one from 1 to 65535")
    if len(set(protocols.values())) < len(protocols):
        raise OperatorError("two tunnel protocols cannot share a port: give each one its own")
    if region and not _REGION.fullmatch(region):
        raise OperatorError(
            f"{region!r} is not a region: give a country code of two capital letters, like DE"
        )


def _write_private(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
