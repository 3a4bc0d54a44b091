"""The server's configuration file: psiphond's, plus a few fields of our own.

Fields this program has no use for are collected in `unknown_fields`. Tunnel protocols it does not speak are
listed in `unsupported_protocols`: the server runs the others and says so.
"""

import functools
import ipaddress
import re
from collections.abc import Mapping

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.authorizations import KeyRing
from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS, TUNNEL_PROTOCOLS
from headrace.documents.config_reader import explain, fold, fold_deep, read_object
from headrace.documents.load_limits import LoadLimits, check_load_limits
from headrace.documents.server_entry import ServerEntry
from headrace.obfuscation.preamble import MAX_PADDING, MIN_SERVER_PADDING

__all__ = ["SERVER_FIELDS", "ServerConfig", "examine_server_config", "read_server_config"]


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A checked configuration. File names are as written; None means the field was absent."""

    server_ip_address: str = msgspec.field(name="ServerIPAddress")
    tunnel_protocol_ports: dict[str, int] = {}
    host_id: str = msgspec.field(default="", name="HostID")
    host_provider: str = ""

    ssh_private_key: str = msgspec.field(default="", name="SSHPrivateKey")  # PEM
    ssh_server_version: str = msgspec.field(default="", name="SSHServerVersion")
    ssh_user_name: str = msgspec.field(default="", name="SSHUserName")
    ssh_password: str = msgspec.field(default="", name="SSHPassword")
    obfuscated_ssh_key: str = msgspec.field(default="", name="ObfuscatedSSHKey")
    web_server_secret: str = ""

    max_concurrent_ssh_handshakes: int = msgspec.field(
        default=0, name="MaxConcurrentSSHHandshakes"
    )  # 0: none
    ssh_begin_handshake_timeout_milliseconds: int = msgspec.field(
        default=1_000, name="SSHBeginHandshakeTimeoutMilliseconds"
    )
    ssh_handshake_timeout_milliseconds: int = msgspec.field(
        default=0, name="SSHHandshakeTimeoutMilliseconds"
    )  # 0: as long as the server's keys say

    discovery_value_hmac_key: str = msgspec.field(default="", name="DiscoveryValueHMACKey")
    server_discovery_strategy: str = ""  # ours; where the tactics name none
    own_encoded_server_entries: dict[str, str] = {}  # tag to encoded entry
    access_control_verification_key_ring: KeyRing = KeyRing()
    psinet_database_filename: str = ""
    traffic_rules_filename: str = ""
    tactics_config_filename: str = ""
    osl_config_filename: str = msgspec.field(default="", name="OSLConfigFilename")
    geo_ip_database_filenames: list[str] = msgspec.field(default=[], name="GeoIPDatabaseFilenames")
    blocklist_filename: str = ""
    blocklist_active: bool = False

    # What the preambles' answers are padded with, in bytes: ours, under the names that clients use.
    min_padding: int = msgspec.field(default=MIN_SERVER_PADDING, name="ObfuscatedSSHMinPadding")
    max_padding: int = msgspec.field(default=MAX_PADDING, name="ObfuscatedSSHMaxPadding")

    udp_intercept_udpgw_server_address: str = msgspec.field(default="", name="UDPInterceptUdpgwServerAddress")
    dns_resolver_ip_address: str = msgspec.field(default="", name="DNSResolverIPAddress")
    allow_bogons: bool = False

    log_level: str = "info"
    log_filename: str = ""
    load_monitor_period_seconds: int = 0  # 0: no load reports
    destination_bytes_period_seconds: int = 300  # 0: no such reports

    # Ours.
    workers: int = 0  # processes; 0: one per processor
    drain_seconds: int = 30  # that open tunnels have to end by themselves when the server is stopped
    accept_rate_per_second: float = 0  # per worker; 0: no limit
    max_worker_memory_bytes: int = 0  # per worker; 0: no limit
    max_tunnel_memory_bytes: int = 32 << 20  # bytes that wait to be sent, per tunnel; 0: no limit
    load_limits: LoadLimits = LoadLimits()  # for the server as a whole
    allow_forwards_before_handshake: bool = False
    event_log_filename: str = ""  # "": where the log goes
    irregular_tunnels_per_minute: int = 60  # per worker
    destination_bytes_asns: list[str] = msgspec.field(default=[], name="DestinationBytesASNs")
    metrics_address: str = ""  # "": no page
    metrics_minimum_clients: int = 10
    disable_stream_shaping: bool = False
    http_front: str = msgspec.field(default="", name="HTTPFront")  # "": strangers hear nothing

    unknown_fields: list[str] = msgspec.field(default=[], name="")

    @property
    def padding(self) -> tuple[int, int]:
        """Least and most bytes of padding in an obfuscated tunnel's first message."""
        return self.min_padding, self.max_padding

    @property
    def protocol_ports(self) -> dict[str, int]:
        """Ports of the tunnel protocols this program speaks."""
        return {
            name: port for name, port in self.tunnel_protocol_ports.items() if name in IMPLEMENTED_PROTOCOLS
        }

    @property
    def unsupported_protocols(self) -> list[str]:
        """Configured tunnel protocols this program does not speak."""
        return sorted(set(self.tunnel_protocol_ports) - set(IMPLEMENTED_PROTOCOLS))

    @property
    def udpgw_address(self) -> tuple[str, int] | None:
        """Address at which clients expect udpgw, None when UDP is not carried."""
        return _split_address(self.udp_intercept_udpgw_server_address)

    @property
    def metrics_place(self) -> tuple[str, int] | None:
        """Where the metrics are shown, None when they are not."""
        return _split_address(self.metrics_address)

    @property
    def front_place(self) -> tuple[str, int] | str | None:
        """Where the web server for strangers is, or its Unix socket; None when there is none."""
        return self.http_front if self.http_front.startswith("/") else _split_address(self.http_front)

    @property
    def testing_settings(self) -> list[str]:
        """Settings in force that must never be in force on a server for the public."""
        settings = {
            "AllowBogons": self.allow_bogons,
            "AllowForwardsBeforeHandshake": self.allow_forwards_before_handshake,
        }
        return [name for name, active in settings.items() if active]


SERVER_FIELDS = [field.encode_name for field in msgspec.structs.fields(ServerConfig) if field.encode_name]
"""The names that fields have in the file."""

_TYPES = {field.encode_name: field.type for field in msgspec.structs.fields(ServerConfig)}

_LOG_LEVELS = ("panic", "fatal", "error", "warn", "info", "debug")


def read_server_config(
    data: bytes, file: str = "configuration", overrides: Mapping[str, object] | None = None
) -> ServerConfig:
    """Return the configuration in `data`, read from `file`. Raises DocumentError.

    `overrides` are fields from the command line; they win over the file's.
    """
    config, problems = examine_server_config({**read_object(data, file), **(overrides or {})})
    for problem in problems:
        raise DocumentError(f"{file}: {problem}")
    return config


def examine_server_config(fields: Mapping[str, object]) -> tuple[ServerConfig, list[str]]:
    """Return what the fields say, and all that is wrong with it: "field: what, and what to write instead".

    What is wrong has its default, or is missing, in the configuration.
    """
    known, unknown = fold(fields, SERVER_FIELDS)
    problems = []
    if not known.get("ServerIPAddress"):
        problems.append("ServerIPAddress: is missing: add this server's public address")
    for name, value in list(known.items()):
        known[name], others = fold_deep(value, _TYPES[name], name)
        unknown.update(dict.fromkeys(others))
        try:
            msgspec.convert({name: known[name]}, _alone(name))
        except msgspec.ValidationError as error:
            problems.append(explain(error))
            del known[name]
    wrong = {re.split(r"\W", problem, maxsplit=1)[0] for problem in problems}
    config = msgspec.convert({"ServerIPAddress": "", **known, "": sorted(unknown)}, ServerConfig)
    problems += [problem for name, problem in _check(config) if name not in wrong]
    return config, problems


def _check(config: ServerConfig) -> list[tuple[str, str]]:
    """Return what is wrong, with the field that it is about."""
    problems: list[tuple[str, str]] = []

    def insist(valid: bool, field: str, problem: str) -> None:
        if not valid:
            problems.append((field, f"{field}: {problem}"))

    insist(_is_address(config.server_ip_address), "ServerIPAddress", "is not an IP address")
    for protocol, port in config.tunnel_protocol_ports.items():
        insist(
            protocol in TUNNEL_PROTOCOLS,
            "TunnelProtocolPorts",
            f"{protocol} is no tunnel protocol: this program speaks {' and '.join(IMPLEMENTED_PROTOCOLS)}",
        )
        insist(
            0 <= port <= 0xFFFF,
            "TunnelProtocolPorts",
            f"{protocol} has port {port}: write 1 to 65535, or 0 to let the system choose",
        )
    for port, names in _shared_ports(config).items():
        insist(
            False, "TunnelProtocolPorts", f"{names} both have port {port}: give each protocol one of its own"
        )
    insist(
        bool(config.protocol_ports),
        "TunnelProtocolPorts",
        f'nothing to listen on: add {" or ".join(IMPLEMENTED_PROTOCOLS)}, for instance {{"OSSH": 53}}',
    )
    for name, value in (
        ("SSHPrivateKey", config.ssh_private_key),
        ("SSHServerVersion", config.ssh_server_version),
        ("SSHUserName", config.ssh_user_name),
        ("SSHPassword", config.ssh_password),
    ):
        insist(bool(value), name, "is missing: every tunnel protocol needs it")
    insist(
        "OSSH" not in config.tunnel_protocol_ports or bool(config.obfuscated_ssh_key),
        "ObfuscatedSSHKey",
        "is missing: OSSH needs it",
    )
    insist(
        config.ssh_server_version.startswith("SSH-2.0-") and config.ssh_server_version.isprintable(),
        "SSHServerVersion",
        "must start with SSH-2.0-, for instance SSH-2.0-OpenSSH_9.6",
    )
    for name, number in (
        ("MaxConcurrentSSHHandshakes", config.max_concurrent_ssh_handshakes),
        ("SSHBeginHandshakeTimeoutMilliseconds", config.ssh_begin_handshake_timeout_milliseconds),
        ("SSHHandshakeTimeoutMilliseconds", config.ssh_handshake_timeout_milliseconds),
        ("LoadMonitorPeriodSeconds", config.load_monitor_period_seconds),
        ("DestinationBytesPeriodSeconds", config.destination_bytes_period_seconds),
        ("IrregularTunnelsPerMinute", config.irregular_tunnels_per_minute),
        ("MetricsMinimumClients", config.metrics_minimum_clients),
        ("Workers", config.workers),
        ("DrainSeconds", config.drain_seconds),
        ("AcceptRatePerSecond", config.accept_rate_per_second),
        ("MaxWorkerMemoryBytes", config.max_worker_memory_bytes),
        ("MaxTunnelMemoryBytes", config.max_tunnel_memory_bytes),
    ):
        insist(number >= 0, name, f"{number} is below zero: write zero or more")
    for asn in config.destination_bytes_asns:
        valid = asn.isascii() and asn.isdigit()
        insist(valid, "DestinationBytesASNs", f'{asn} is no AS number: write for instance "64496"')
    wrong = check_load_limits(config.load_limits)
    insist(not wrong, "LoadLimits", wrong)
    least, most = config.padding
    insist(
        MIN_SERVER_PADDING <= least <= most <= MAX_PADDING,
        "ObfuscatedSSHMinPadding",
        f"with ObfuscatedSSHMaxPadding, write a range within {MIN_SERVER_PADDING} and {MAX_PADDING}",
    )
    udpgw = config.udp_intercept_udpgw_server_address
    insist(
        not udpgw or config.udpgw_address is not None,
        "UDPInterceptUdpgwServerAddress",
        "write an address and a port, for instance 127.0.0.1:7300",
    )
    metrics = config.metrics_place
    insist(
        not config.metrics_address or (metrics is not None and ipaddress.ip_address(metrics[0]).is_loopback),
        "MetricsAddress",
        "write a loopback address and a port, for instance 127.0.0.1:9464: a page that others can reach "
        "tells them what this machine is",
    )
    front = config.front_place
    insist(
        not config.http_front
        or isinstance(front, str)
        or (front is not None and ipaddress.ip_address(front[0]).is_loopback),
        "HTTPFront",
        "write a loopback address and a port, for instance 127.0.0.1:8080, or the path of a Unix socket: "
        "a web server elsewhere would be reached in the open",
    )
    insist(
        not isinstance(front, tuple) or front[1] not in config.protocol_ports.values(),
        "HTTPFront",
        "is one of this server's own ports: write that of a web server",
    )
    resolver = config.dns_resolver_ip_address
    insist(not resolver or _is_address(resolver), "DNSResolverIPAddress", "is not an IP address")
    insist(
        config.log_level in _LOG_LEVELS, "LogLevel", f"{config.log_level} is none of {', '.join(_LOG_LEVELS)}"
    )
    try:
        config.access_control_verification_key_ring.check()
    except DocumentError as error:
        insist(False, "AccessControlVerificationKeyRing", str(error))
    for tag, line in config.own_encoded_server_entries.items():
        try:
            ServerEntry.decode(line)
        except DocumentError as error:
            insist(False, "OwnEncodedServerEntries", f"entry {tag[:8]}: {error}")
    return problems


def _shared_ports(config: ServerConfig) -> dict[int, str]:
    """Return ports that several protocols we speak are to listen on, and those protocols."""
    names: dict[int, list[str]] = {}
    for protocol, port in config.protocol_ports.items():
        names.setdefault(port, []).append(protocol)
    return {port: " and ".join(both) for port, both in names.items() if port and len(both) > 1}


@functools.cache
def _alone(name: str) -> type[msgspec.Struct]:
    """Return a document that has this field only."""
    (field,) = (field for field in msgspec.structs.fields(ServerConfig) if field.encode_name == name)
    return msgspec.defstruct(name, [("value", field.type, msgspec.field(name=name))])


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _split_address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    valid = _is_address(host) and port.isascii() and port.isdigit() and 0 < int(port) <= 0xFFFF
    return (host, int(port)) if valid else None
