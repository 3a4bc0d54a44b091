"""The fields of a client's configuration, and what follows from them (client spec §6.1).

Whether the values can be used is for client_config_checks.
"""

from typing import Any, Final

import msgspec

from headrace.base.logging import SECRET
from headrace.documents.prefix_specs import RawPrefixSpecs
from headrace.documents.transfer_urls import TransferURLs
from headrace.obfuscation.default_prefix import DEFAULT_SPEC
from headrace.obfuscation.preamble import MAX_PADDING, MIN_CLIENT_PADDING
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["ClientConfig", "ClientRateLimits", "NoticeFileSettings"]

#: What a program's own record of its settings must not hold: it ends up in logs and reports.
_SECRET_FIELDS: Final = frozenset(
    (
        "additional_parameters",
        "authorizations",
        "custom_headers",
        "device_location",
        "embedded_server_entry_list",
        "local_proxy_password",
        "local_proxy_username",
        "network_id",
        "session_id",
        "split_tunnel_excluded_hosts",
        "target_server_entry",
        "upstream_proxy_url",
    )
)


class ClientRateLimits(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """How fast a client's own tunnel may be. *Read* is down here, *Write* is up; 0 is no limit."""

    read_unthrottled_bytes: int = 0
    read_bytes_per_second: int = 0
    write_unthrottled_bytes: int = 0
    write_bytes_per_second: int = 0
    close_after_exhausted: bool = False


class NoticeFileSettings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Files for notices: rotated at a size in bytes, synced every so many lines; 0 is the default."""

    rotating_file_size: int = 0
    rotating_sync_frequency: int = 0


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A checked configuration. Port 0 lets the system choose; None means the field was absent."""

    propagation_channel_id: str
    sponsor_id: str
    client_version: str = "0"
    client_platform: str = ""
    client_features: list[str] = []
    device_region: str = ""
    device_location: str = ""
    authorizations: list[str] = []  # signed access tokens
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
    local_proxy_port_attempts: int = 1  # consecutive ports, from the one that is wanted
    local_proxy_username: str = ""
    local_proxy_password: str = ""
    use_unix_domain_sockets: bool = False  # instead of ports
    local_socks_proxy_unix_path: str = ""
    local_http_proxy_unix_path: str = ""

    split_tunnel_own_region: bool = False
    split_tunnel_regions: list[str] = []
    split_tunnel_excluded_hosts: list[str] = []  # never tunnelled

    bind_interface: str = ""  # which the client's own connections leave by
    upstream_proxy_url: str = msgspec.field(default="", name="UpstreamProxyURL")
    custom_headers: dict[str, list[str]] = {}
    trusted_ca_certificates_filename: str = msgspec.field(default="", name="TrustedCACertificatesFilename")
    disable_system_root_cas: bool = msgspec.field(default=False, name="DisableSystemRootCAs")

    network_id: str = msgspec.field(default="", name="NetworkID")  # empty: found out
    network_latency_multiplier: float = 0.0  # 0: the default
    network_latency_multiplier_lambda: float = 0.0  # 0: the default

    egress_region: str = ""
    limit_tunnel_protocols: list[str] = []
    initial_limit_tunnel_protocols: list[str] = []
    initial_limit_tunnel_protocols_candidate_count: int = 0
    limit_tunnel_dial_port_numbers: dict[str, list[int | list[int]]] = {}  # by protocol, or "All"
    connection_worker_pool_size: int = 0  # 0: the default
    connection_worker_pool_max_size: int = 0  # 0: no cap
    limit_intensive_connection_workers: int = 0  # 0: no limit
    tunnel_pool_size: int = 0  # 0: the default
    stagger_connection_workers_milliseconds: int = 0
    establish_tunnel_timeout_seconds: int | None = None  # 0: never give up
    establish_tunnel_server_affinity_grace_period_milliseconds: int | None = None
    establish_tunnel_work_time_seconds: float | None = None  # until more servers are wanted
    establish_tunnel_pause_period_seconds: float | None = None  # between rounds
    establish_tunnel_selection_policy: str = "first-ready"  # or "collect"

    liveness_test_min_upstream_bytes: int = 0
    liveness_test_max_upstream_bytes: int = 0
    liveness_test_min_downstream_bytes: int = 0
    liveness_test_max_downstream_bytes: int = 0

    disable_replay: bool = False
    replay_candidate_count: int | None = None  # -1: all of them
    replay_dial_parameters_ttl_seconds: float | None = msgspec.field(
        default=None, name="ReplayDialParametersTTLSeconds"
    )
    replay_retain_failed_probability: float | None = None
    replay_later_round_move_to_front_probability: float | None = None
    replay_ignore_changed_config_state_probability: float | None = None
    replay_target_upstream_bytes: int = 0
    replay_target_downstream_bytes: int = 0
    replay_target_tunnel_duration_seconds: float | None = None

    disable_api: bool = False
    disable_tactics: bool = False
    disable_periodic_ssh_keep_alive: bool = False
    ssh_keep_alive_period_min_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAlivePeriodMinMilliseconds"
    )
    ssh_keep_alive_period_max_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAlivePeriodMaxMilliseconds"
    )
    ssh_keep_alive_periodic_timeout_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAlivePeriodicTimeoutMilliseconds"
    )
    ssh_keep_alive_periodic_inactive_period_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAlivePeriodicInactivePeriodMilliseconds"
    )
    ssh_keep_alive_probe_timeout_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAliveProbeTimeoutMilliseconds"
    )
    ssh_keep_alive_probe_inactive_period_milliseconds: int | None = msgspec.field(
        default=None, name="SSHKeepAliveProbeInactivePeriodMilliseconds"
    )
    ssh_keep_alive_reset_on_failure_probability: float | None = msgspec.field(
        default=None, name="SSHKeepAliveResetOnFailureProbability"
    )
    target_api_protocol: str = msgspec.field(default="", name="TargetAPIProtocol")  # "ssh"
    target_api_encoding: str = msgspec.field(default="", name="TargetAPIEncoding")  # "cbor" or "json"

    rate_limits: ClientRateLimits | None = None

    emit_diagnostic_notices: bool = False
    emit_diagnostic_network_parameters: bool = False
    emit_bytes_transferred: bool = False
    emit_client_address: bool = False
    emit_server_alerts: bool = False
    emit_sloks: bool = msgspec.field(default=False, name="EmitSLOKs")
    use_notice_files: NoticeFileSettings | None = None

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

    shipped_prefixes: list[str] = msgspec.field(default_factory=lambda: [DEFAULT_SPEC])

    min_padding: int = msgspec.field(default=MIN_CLIENT_PADDING, name="ObfuscatedSSHMinPadding")
    max_padding: int = msgspec.field(default=MAX_PADDING, name="ObfuscatedSSHMaxPadding")

    disable_stream_shaping: bool = False  # ours

    migrate_data_store_directory: str = ""
    migrate_remote_server_list_download_filename: str = ""
    migrate_obfuscated_server_list_download_directory: str = ""
    migrate_upgrade_download_filename: str = ""
    additional_parameters: str = ""  # base64 of a sealed configuration

    unknown_fields: list[str] = msgspec.field(default=[], name="")

    def __repr__(self) -> str:
        return f"ClientConfig({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return the fields that are set, without what would give somebody away."""
        values = [(field, getattr(self, field.name)) for field in msgspec.structs.fields(ClientConfig)]
        return [
            (field.name, SECRET if field.name in _SECRET_FIELDS else value)
            for field, value in values
            if value not in (field.default, [], {})
        ]

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
        """Return what may be sent in front of any obfuscated tunnel (tunnel spec §3)."""
        return PrefixSpecs.compile(
            {name: expression for name, [(_, expression)] in self.ossh_prefix_specs.items()},
            names_by_port=self.ossh_prefix_scoped_spec_names,
            probability=self.ossh_prefix_probability,
            split_delay=(
                self.ossh_prefix_split_min_delay_milliseconds / 1000,
                self.ossh_prefix_split_max_delay_milliseconds / 1000,
            ),
        )
