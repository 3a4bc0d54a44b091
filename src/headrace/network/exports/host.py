"""The files of one host: its servers' configurations and keys, and their own entries (operations spec §1.9).

Field names are those of the deployed server program; what it has no use for is left out.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.osl.config import NO_SCHEMES, OslConfig, read_osl_config
from headrace.documents.server_files import (
    BLOCKLIST_FILE,
    CONFIG_FILE,
    DRAINING_FILE,
    LOAD_PERIOD,
    OSL_FILE,
    PSINET_FILE,
    SSH_VERSION,
    TACTICS_FILE,
    TRAFFIC_RULES_FILE,
    UDPGW_ADDRESS,
    default_tactics,
    default_traffic_rules,
    encode_file,
)
from headrace.network.book import View
from headrace.network.exports.classified import ENTRIES, MadeOf, Secret
from headrace.network.model import Host, NetworkKey, NetworkSettings, Server, Status
from headrace.network.rendering.capabilities import published_capabilities
from headrace.network.rendering.entries import EntryRenderer
from headrace.network.rendering.ports import protocol_ports
from headrace.network.signing.kinds import Purpose

__all__ = ["HostConfiguration", "check_schemes", "host_files", "osl_config", "osl_file"]

#: Whose handshakes begin as those of TLS do, so that a stranger's can be passed on to another server.
_PASSED_THROUGH: Final = (
    "TLS-OSSH",
    "UNFRONTED-MEEK-HTTPS-OSSH",
    "UNFRONTED-MEEK-SESSION-TICKET-OSSH",
)


class HostConfiguration(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The configuration of one server."""

    LogLevel: Annotated[str, MadeOf()]
    HostID: Annotated[str, MadeOf(Host.name)]
    ServerIPAddress: Annotated[str, MadeOf(Server.address)]
    TunnelProtocolPorts: Annotated[
        dict[str, int],
        MadeOf(
            Server.capabilities,
            Server.ssh_port,
            Server.ossh_ports,
            Server.tls_port,
            Server.quic_port,
            Server.shadowsocks_port,
            Server.tapdance_port,
            Server.conjure_port,
            Server.inproxy_ssh_port,
            Server.inproxy_ossh_port,
            Server.inproxy_quic_port,
            Host.meek_port,
        ),
    ]
    SSHPrivateKey: Annotated[str, MadeOf(Secret(Server, "ssh_private_key"))]
    SSHServerVersion: Annotated[str, MadeOf()]
    SSHUserName: Annotated[str, MadeOf(Secret(Server, "ssh_username"))]
    SSHPassword: Annotated[str, MadeOf(Secret(Server, "ssh_password"))]
    ObfuscatedSSHKey: Annotated[str, MadeOf(Secret(Server, "obfuscation_key"))] = ""
    DiscoveryValueHMACKey: Annotated[str, MadeOf(Secret(NetworkKey, "shared"))] = ""
    UDPInterceptUdpgwServerAddress: Annotated[str, MadeOf()]
    LoadMonitorPeriodSeconds: Annotated[int, MadeOf()]
    TrafficRulesFilename: Annotated[str, MadeOf()]
    TacticsConfigFilename: Annotated[str, MadeOf()]
    PsinetDatabaseFilename: Annotated[str, MadeOf()]
    OSLConfigFilename: Annotated[str, MadeOf(NetworkSettings.osl_schemes)] = ""
    BlocklistFilename: Annotated[str, MadeOf(NetworkSettings.blocklist)] = ""
    BlocklistActive: Annotated[bool, MadeOf(NetworkSettings.blocklist)] = False
    OwnEncodedServerEntries: Annotated[dict[str, str], MadeOf(ENTRIES, Server.tag)]

    ShadowsocksKey: Annotated[str, MadeOf(Secret(Server, "shadowsocks_key"))] = ""
    MeekObfuscatedKey: Annotated[str, MadeOf(Secret(Host, "meek_obfuscation_key"))] = ""
    MeekCookieEncryptionPrivateKey: Annotated[str, MadeOf(Secret(Host, "meek_cookie_private_key"))] = ""
    TunnelProtocolPassthroughAddresses: Annotated[dict[str, str], MadeOf(Host.passthrough_address)] = {}
    LegacyPassthrough: Annotated[bool, MadeOf(Host.passthrough_version)] = False
    EnableGQUIC: Annotated[bool, MadeOf(Host.gquic)] = False
    RunPacketManipulator: Annotated[bool, MadeOf(Host.packet_manipulator)] = False
    InproxyServerSessionPrivateKey: Annotated[str, MadeOf(Secret(Host, "inproxy_session_private_key"))] = ""
    InproxyServerObfuscationRootSecret: Annotated[
        str, MadeOf(Secret(Host, "inproxy_session_root_obfuscation_secret"))
    ] = ""


def host_files(view: View, host: Host, servers: Sequence[Server], entries: EntryRenderer) -> dict[str, bytes]:
    """Return the files of a host by name: as usual for its only server, else after each server's pseudonym.

    `servers` are those on it that are alive. Raises OperatorError, DocumentError.
    """
    lines = {server: entries.encoded(server) for server in servers if server.status != Status.NEW}
    files: dict[str, bytes] = {}
    for server in servers:
        prefix = "" if len(servers) == 1 else f"{server.pseudonym.replace(' ', '-')}."
        # The deployed server refuses to start with entries of which only some name a fronting provider.
        fronted = _is_fronted(host, server)
        own = {other.tag: line for other, line in lines.items() if _is_fronted(host, other) == fronted}
        files.update(_server_files(view, host, server, own, prefix))
    return files


def osl_config(view: View) -> OslConfig:
    """Return the schemes of obfuscated lists, with their keys. Raises OperatorError, DocumentError."""
    file = osl_file(view)
    return NO_SCHEMES if file is None else read_osl_config(file, "the network's OSL schemes")


def osl_file(view: View) -> bytes | None:
    """Return the schemes as servers read them, None where there are none. Raises OperatorError.

    In the settings, a scheme has the name of its master key in the key's place.
    """
    schemes = view.settings.osl_schemes
    if not schemes:
        return None
    return encode_file(
        {"Schemes": [{**scheme, "MasterKey": _master_key(view, scheme)} for scheme in schemes]}
    )


def _server_files(
    view: View, host: Host, server: Server, own: Mapping[str, str], prefix: str
) -> Iterator[tuple[str, bytes]]:
    settings = view.settings
    files = {
        TRAFFIC_RULES_FILE: encode_file(settings.traffic_rules or default_traffic_rules()),
        TACTICS_FILE: encode_file(_tactics(view, host, server)),
    }
    if (osl := osl_file(view)) is not None:
        files[OSL_FILE] = osl
    if settings.blocklist:
        files[BLOCKLIST_FILE] = settings.blocklist.encode()
    configuration = _configuration(view, host, server, own, {name: prefix + name for name in files})
    fields: dict[str, Any] = {
        **msgspec.to_builtins(configuration),
        **settings.server_settings,
        **host.settings,
    }
    yield prefix + CONFIG_FILE, encode_file(fields)
    yield from ((prefix + name, data) for name, data in files.items())
    if Status.DRAINING in (server.status, host.status):
        yield prefix + DRAINING_FILE, b"no new tunnels\n"


def _configuration(
    view: View, host: Host, server: Server, own: Mapping[str, str], names: Mapping[str, str]
) -> HostConfiguration:
    secrets, host_secrets = view.secrets(server), view.secrets(host)
    for name in ("ssh_private_key", "ssh_username", "ssh_password"):
        if not secrets.get(name):
            raise OperatorError(
                f"{server.pseudonym} has no {name.replace('_', ' ')}; it cannot be configured"
            )
    ports = protocol_ports(host, server)
    configuration = HostConfiguration(
        LogLevel="info",
        HostID=host.name,
        ServerIPAddress=server.address,
        TunnelProtocolPorts=ports,
        SSHPrivateKey=secrets["ssh_private_key"],
        SSHServerVersion=SSH_VERSION,
        SSHUserName=secrets["ssh_username"],
        SSHPassword=secrets["ssh_password"],
        ObfuscatedSSHKey=secrets.get("obfuscation_key", ""),
        DiscoveryValueHMACKey=_discovery_key(view),
        UDPInterceptUdpgwServerAddress=UDPGW_ADDRESS,
        LoadMonitorPeriodSeconds=LOAD_PERIOD,
        TrafficRulesFilename=names[TRAFFIC_RULES_FILE],
        TacticsConfigFilename=names[TACTICS_FILE],
        PsinetDatabaseFilename=PSINET_FILE,  # all servers on a host share it
        OSLConfigFilename=names.get(OSL_FILE, ""),
        BlocklistFilename=names.get(BLOCKLIST_FILE, ""),
        BlocklistActive=BLOCKLIST_FILE in names,
        OwnEncodedServerEntries=dict(own),
        ShadowsocksKey=secrets.get("shadowsocks_key", ""),
        EnableGQUIC=host.gquic,
        RunPacketManipulator=host.packet_manipulator,
    )
    if host.meek_port:
        configuration.MeekCookieEncryptionPrivateKey = host_secrets.get("meek_cookie_private_key", "")
    configuration.MeekObfuscatedKey = host_secrets.get("meek_obfuscation_key", "")
    if host.passthrough_address:
        configuration.LegacyPassthrough = host.passthrough_version < 2
        configuration.TunnelProtocolPassthroughAddresses = {
            protocol: host.passthrough_address for protocol in ports if protocol in _PASSED_THROUGH
        }
    if any(protocol.startswith("INPROXY") for protocol in ports):
        configuration.InproxyServerSessionPrivateKey = host_secrets.get("inproxy_session_private_key", "")
        configuration.InproxyServerObfuscationRootSecret = host_secrets.get(
            "inproxy_session_root_obfuscation_secret", ""
        )
    return configuration


def _tactics(view: View, host: Host, server: Server) -> dict[str, Any]:
    tactics = view.settings.tactics or default_tactics()
    secrets = view.secrets(host)
    if not any(name.endswith("-TACTICS") for name in server.capabilities):
        return tactics
    return {
        **tactics,
        "RequestPublicKey": host.tactics_request_public_key,
        "RequestPrivateKey": secrets.get("tactics_request_private_key", ""),
        "RequestObfuscatedKey": secrets.get("tactics_request_obfuscation_key", ""),
    }


def _is_fronted(host: Host, server: Server) -> bool:
    """Whether the server's entry names the host's fronting provider."""
    return any(name.startswith("FRONTED") for name in published_capabilities(host, server))


def _discovery_key(view: View) -> str:
    keys = view.keys(Purpose.DISCOVERY)
    return view.secrets(keys[0]).get("shared", "") if keys else ""


def _master_key(view: View, scheme: Mapping[str, Any]) -> str:
    name = str(scheme.get("MasterKey", ""))
    for key in view.keys(Purpose.OSL, name):
        secret = view.secrets(key).get("shared", "")
        if len(base64.b64decode(secret or "")) == 32:
            return secret
    raise OperatorError(
        f"an OSL scheme names the master key {name!r}, which is not there; add it with"
        f" `headrace network key add osl-master --name {name or 'NAME'}`"
    )


def check_schemes(schemes: Sequence[Mapping[str, Any]]) -> None:
    """Insist that schemes are in order but for their keys. Raises DocumentError."""
    if not all(isinstance(scheme.get("MasterKey"), str) for scheme in schemes):
        raise DocumentError('a scheme has no "MasterKey": write the name of an osl-master key of the network')
    stand_in = base64.b64encode(bytes(32)).decode()
    text = json.dumps({"Schemes": [{**scheme, "MasterKey": stand_in} for scheme in schemes]})
    read_osl_config(text.encode(), "the OSL schemes")
