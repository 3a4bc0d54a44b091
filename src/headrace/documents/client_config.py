"""The client's configuration file, compatible with deployed ones (client spec §6.1).

Fields this program has no use for are collected in `unknown_fields`, never refused: real files carry old
ones.
"""

from collections.abc import Mapping

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.config_reader import convert_config, fold, read_object
from headrace.documents.prefix_specs import RawPrefixSpecs, read_prefix_specs
from headrace.documents.upstream_proxy_url import ProxyURL
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["ClientConfig", "read_client_config"]


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A checked configuration. Port 0 lets the system choose; None means the field was absent."""

    propagation_channel_id: str
    sponsor_id: str
    client_version: str = "0"
    client_platform: str = ""
    client_features: list[str] = []
    device_region: str = ""
    session_id: str = msgspec.field(default="", name="SessionID")  # 32 hex digits; empty: random

    data_root_directory: str = ""
    target_server_entry: str = ""
    embedded_server_entry_list: list[str] | str = []

    local_socks_proxy_port: int = 0
    local_http_proxy_port: int = 0
    disable_local_socks_proxy: bool = False
    disable_local_http_proxy: bool = msgspec.field(default=False, name="DisableLocalHTTPProxy")
    listen_interface: str = ""

    upstream_proxy_url: str = msgspec.field(default="", name="UpstreamProxyURL")
    trusted_ca_certificates_filename: str = msgspec.field(default="", name="TrustedCACertificatesFilename")
    disable_system_root_cas: bool = msgspec.field(default=False, name="DisableSystemRootCAs")

    egress_region: str = ""
    limit_tunnel_protocols: list[str] = []
    connection_worker_pool_size: int = 0  # 0: the default
    stagger_connection_workers_milliseconds: int = 0
    establish_tunnel_timeout_seconds: int | None = None  # 0: never give up

    disable_api: bool = False
    disable_periodic_ssh_keep_alive: bool = False
    target_api_encoding: str = msgspec.field(default="", name="TargetAPIEncoding")  # "cbor" or "json"

    emit_diagnostic_notices: bool = False
    emit_diagnostic_network_parameters: bool = False
    emit_bytes_transferred: bool = False
    emit_client_address: bool = False
    emit_server_alerts: bool = False

    ossh_prefix_specs: RawPrefixSpecs = msgspec.field(default={}, name="OSSHPrefixSpecs")
    ossh_prefix_scoped_spec_names: dict[str, list[str]] = msgspec.field(
        default={}, name="OSSHPrefixScopedSpecNames"
    )
    ossh_prefix_probability: float = msgspec.field(default=0.0, name="OSSHPrefixProbability")
    ossh_prefix_split_min_delay_milliseconds: int = msgspec.field(
        default=0, name="OSSHPrefixSplitMinDelayMilliseconds"
    )
    ossh_prefix_split_max_delay_milliseconds: int = msgspec.field(
        default=0, name="OSSHPrefixSplitMaxDelayMilliseconds"
    )

    min_padding: int = msgspec.field(default=MIN_CLIENT_PADDING, name="ObfuscatedSSHMinPadding")
    max_padding: int = msgspec.field(default=MAX_PADDING, name="ObfuscatedSSHMaxPadding")

    unknown_fields: list[str] = msgspec.field(default=[], name="")

    @property
    def embedded_server_entries(self) -> list[str]:
        """Encoded entries given in the file, whether as a list or as lines of one text."""
        entries = self.embedded_server_entry_list
        return entries.split() if isinstance(entries, str) else entries

    @property
    def padding(self) -> tuple[int, int]:
        """Least and most bytes of padding in an obfuscated tunnel's first message."""
        return self.min_padding, self.max_padding

    def prefixes(self) -> PrefixSpecs:
        """Return what may be sent in front of an obfuscated tunnel (tunnel spec §3)."""
        return PrefixSpecs.compile(
            {name: expression for name, [(_, expression)] in self.ossh_prefix_specs.items()},
            names_by_port=self.ossh_prefix_scoped_spec_names,
            probability=self.ossh_prefix_probability,
            split_delay=(
                self.ossh_prefix_split_min_delay_milliseconds / 1000,
                self.ossh_prefix_split_max_delay_milliseconds / 1000,
            ),
        )


_NAMES = [field.encode_name for field in msgspec.structs.fields(ClientConfig) if field.encode_name]


def read_client_config(
    data: bytes, file: str = "configuration", overrides: Mapping[str, object] | None = None
) -> ClientConfig:
    """Return the configuration in `data`, read from `file`. Raises DocumentError.

    `overrides` are fields from the command line; they win over the file's.
    """
    fields = read_object(data, file)
    known, unknown = fold({**fields, **(overrides or {})}, [*_NAMES, "TunnelProtocol"])
    legacy_protocol = known.pop("TunnelProtocol", None)
    if legacy_protocol and "LimitTunnelProtocols" not in known:
        known["LimitTunnelProtocols"] = [legacy_protocol]
    for name in ("PropagationChannelId", "SponsorId"):
        if not known.get(name):
            raise DocumentError(
                f"{file}: {name} is missing: add the value you were given, or FFFFFFFFFFFFFFFF for testing"
            )
    config = convert_config(known, ClientConfig, file)
    _check(config, file)
    return msgspec.structs.replace(config, unknown_fields=sorted(unknown))


def _check(config: ClientConfig, file: str) -> None:
    def insist(valid: bool, field: str, problem: str) -> None:
        if not valid:
            raise DocumentError(f"{file}: {field}: {problem}")

    version = config.client_version
    insist(
        version.isascii() and version.isdigit(), "ClientVersion", 'write a whole number in quotes, like "1"'
    )
    for name, port in (
        ("LocalSocksProxyPort", config.local_socks_proxy_port),
        ("LocalHttpProxyPort", config.local_http_proxy_port),
    ):
        insist(
            0 <= port <= 0xFFFF, name, f"{port} is no port: write 1 to 65535, or 0 to let the system choose"
        )
    both = config.local_socks_proxy_port == config.local_http_proxy_port != 0
    insist(
        not both or config.disable_local_socks_proxy or config.disable_local_http_proxy,
        "LocalHttpProxyPort",
        "is the same as LocalSocksProxyPort: choose another, or 0",
    )
    session = config.session_id
    insist(
        not session or (len(session) == 32 and not set(session) - set("0123456789abcdef")),
        "SessionID",
        "write 32 lower-case hexadecimal digits, or leave it out",
    )
    insist(config.target_api_encoding in ("", "cbor", "json"), "TargetAPIEncoding", 'write "cbor" or "json"')
    for protocol in config.limit_tunnel_protocols:
        insist(
            protocol in TUNNEL_PROTOCOLS,
            "LimitTunnelProtocols",
            f"{protocol} is no tunnel protocol: write for instance OSSH or SSH",
        )
    region = config.egress_region
    insist(
        not region or (len(region) == 2 and region.isascii() and region.isupper()),
        "EgressRegion",
        "write a country as two capital letters, or leave it empty",
    )
    if config.upstream_proxy_url:
        try:
            ProxyURL.parse(config.upstream_proxy_url)
        except DocumentError as error:
            raise DocumentError(f"{file}: UpstreamProxyURL: {error}") from None
    for name, number in (
        ("ConnectionWorkerPoolSize", config.connection_worker_pool_size),
        ("StaggerConnectionWorkersMilliseconds", config.stagger_connection_workers_milliseconds),
        ("EstablishTunnelTimeoutSeconds", config.establish_tunnel_timeout_seconds or 0),
        ("OSSHPrefixSplitMinDelayMilliseconds", config.ossh_prefix_split_min_delay_milliseconds),
        ("OSSHPrefixSplitMaxDelayMilliseconds", config.ossh_prefix_split_max_delay_milliseconds),
    ):
        insist(number >= 0, name, f"{number} is below zero: write zero or more")
    least, most = config.padding
    insist(
        0 <= least <= most <= MAX_PADDING,
        "ObfuscatedSSHMinPadding",
        f"with ObfuscatedSSHMaxPadding, write a range within 0 and {MAX_PADDING}",
    )
    insist(0 <= config.ossh_prefix_probability <= 1, "OSSHPrefixProbability", "write a number from 0 to 1")
    insist(
        config.ossh_prefix_split_min_delay_milliseconds <= config.ossh_prefix_split_max_delay_milliseconds,
        "OSSHPrefixSplitMaxDelayMilliseconds",
        "is below OSSHPrefixSplitMinDelayMilliseconds: make it the larger one",
    )
    specs = read_prefix_specs(config.ossh_prefix_specs, file, "OSSHPrefixSpecs")
    for names in config.ossh_prefix_scoped_spec_names.values():
        for name in names:
            insist(
                name in specs,
                "OSSHPrefixScopedSpecNames",
                f"{name} is not in OSSHPrefixSpecs: add or remove it",
            )
    try:
        config.prefixes()
    except DocumentError as error:
        raise DocumentError(f"{file}: {error}") from error
