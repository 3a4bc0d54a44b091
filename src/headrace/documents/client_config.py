"""The client's configuration file, compatible with deployed ones (client spec §6.1).

Fields this program has no use for are collected in `unknown_fields`, never refused: real files carry old
ones.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.signing import VerifyingKey
from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.config_reader import convert_config, fold, read_object
from headrace.documents.prefix_specs import RawPrefixSpecs, read_prefix_specs
from headrace.documents.transfer_urls import TransferURLs
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
    server_entry_signature_public_key: str = ""  # base64 Ed25519

    remote_server_list_urls: list[Any] = msgspec.field(default=[], name="RemoteServerListURLs")
    obfuscated_server_list_root_urls: list[Any] = msgspec.field(
        default=[], name="ObfuscatedServerListRootURLs"
    )
    remote_server_list_signature_public_key: str = ""  # base64 RSA
    disable_remote_server_list_fetcher: bool = False
    fetch_remote_server_list_retry_period_milliseconds: int | None = None

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
    establish_tunnel_server_affinity_grace_period_milliseconds: int | None = None
    establish_tunnel_work_time_seconds: float | None = None  # until more servers are wanted

    disable_api: bool = False
    disable_periodic_ssh_keep_alive: bool = False
    target_api_encoding: str = msgspec.field(default="", name="TargetAPIEncoding")  # "cbor" or "json"

    emit_diagnostic_notices: bool = False
    emit_diagnostic_network_parameters: bool = False
    emit_bytes_transferred: bool = False
    emit_client_address: bool = False
    emit_server_alerts: bool = False
    emit_sloks: bool = msgspec.field(default=False, name="EmitSLOKs")

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
    def remote_server_lists(self) -> TransferURLs | None:
        """Where the common list of servers is fetched from, if anywhere."""
        return (
            TransferURLs.from_fields(self.remote_server_list_urls) if self.remote_server_list_urls else None
        )

    @property
    def obfuscated_server_list_roots(self) -> TransferURLs | None:
        """Where obfuscated lists are fetched from, if anywhere."""
        urls = self.obfuscated_server_list_root_urls
        return TransferURLs.from_fields(urls) if urls else None

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


def _plain_url(url: object) -> object:
    """Return the form that lists of URLs have for a URL that is written as it is."""
    return {"URL": base64.b64encode(url.encode()).decode()} if isinstance(url, str) else url


#: Fields of older files that hold one value where there is a list today.
_LEGACY: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "TunnelProtocol": ("LimitTunnelProtocols", lambda protocol: protocol),
    "RemoteServerListUrl": ("RemoteServerListURLs", _plain_url),
    "ObfuscatedServerListRootURL": ("ObfuscatedServerListRootURLs", _plain_url),
}


def read_client_config(
    data: bytes, file: str = "configuration", overrides: Mapping[str, object] | None = None
) -> ClientConfig:
    """Return the configuration in `data`, read from `file`. Raises DocumentError.

    `overrides` are fields from the command line; they win over the file's.
    """
    fields = read_object(data, file)
    known, unknown = fold({**fields, **(overrides or {})}, [*_NAMES, *_LEGACY])
    for name, (new_name, promote) in _LEGACY.items():
        legacy = known.pop(name, None)
        if legacy and new_name not in known:
            known[new_name] = [promote(legacy)]
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
        (
            "EstablishTunnelServerAffinityGracePeriodMilliseconds",
            config.establish_tunnel_server_affinity_grace_period_milliseconds or 0,
        ),
        (
            "FetchRemoteServerListRetryPeriodMilliseconds",
            config.fetch_remote_server_list_retry_period_milliseconds or 0,
        ),
        ("OSSHPrefixSplitMinDelayMilliseconds", config.ossh_prefix_split_min_delay_milliseconds),
        ("OSSHPrefixSplitMaxDelayMilliseconds", config.ossh_prefix_split_max_delay_milliseconds),
    ):
        insist(number >= 0, name, f"{number} is below zero: write zero or more")
    work_time = config.establish_tunnel_work_time_seconds
    insist(
        work_time is None or work_time > 0,
        "EstablishTunnelWorkTimeSeconds",
        "is not above zero: write some seconds, or leave it out",
    )
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
    _check_lists(config, file)
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


def _check_lists(config: ClientConfig, file: str) -> None:
    """Insist on URLs and keys that can be used, and on the key that lists from storage are signed with."""

    def insist_on_reading(field: str, read: Callable[[], object]) -> None:
        try:
            read()
        except DocumentError as error:
            raise DocumentError(f"{file}: {field}: {error}") from error

    insist_on_reading("RemoteServerListURLs", lambda: config.remote_server_lists)
    insist_on_reading("ObfuscatedServerListRootURLs", lambda: config.obfuscated_server_list_roots)
    if config.server_entry_signature_public_key:
        insist_on_reading(
            "ServerEntrySignaturePublicKey",
            lambda: VerifyingKey.from_text(config.server_entry_signature_public_key),
        )
    if config.remote_server_list_urls or config.obfuscated_server_list_root_urls:
        if not config.remote_server_list_signature_public_key:
            raise DocumentError(
                f"{file}: RemoteServerListSignaturePublicKey is missing: add the key that lists are signed "
                "with, or remove RemoteServerListURLs and ObfuscatedServerListRootURLs"
            )
        insist_on_reading(
            "RemoteServerListSignaturePublicKey",
            lambda: PackageVerifyingKey.from_text(config.remote_server_list_signature_public_key),
        )
