"""What a client's configuration must be like to be used; each mistake is told with its remedy."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from headrace.base.errors import DocumentError
from headrace.codec.packed_authorizations import pack_authorizations
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.signing import VerifyingKey
from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.client_config_fields import ClientConfig, ClientRateLimits, NoticeFileSettings
from headrace.documents.custom_headers import read_custom_headers
from headrace.documents.host_patterns import HostPatterns
from headrace.documents.local_proxy_checks import local_proxy_mistakes
from headrace.documents.port_policy import parse_ports
from headrace.documents.prefix_specs import read_prefix_specs
from headrace.documents.upstream_proxy_url import ProxyURL
from headrace.obfuscation.default_prefix import CLIENT_SPECS
from headrace.obfuscation.preamble import MAX_PADDING

__all__ = ["check_client_config"]

_HEX = frozenset("0123456789abcdef")
_MAX_POOL = 32  # tunnels at once (client spec §1.2)
_MAX_INTERFACE = 15  # bytes of a network interface's name


def check_client_config(config: ClientConfig, file: str) -> None:
    """Raise DocumentError with file, field, problem and remedy if `config` cannot be used."""
    _Checks(config, file).run()


def _is_country(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()


class _Checks:
    def __init__(self, config: ClientConfig, file: str) -> None:
        self._config = config
        self._file = file

    def run(self) -> None:
        self._check_identity()
        self._check_connections()
        self._check_establishment()
        self._check_ranges()
        self._check_numbers(self._config)
        self._check_numbers(self._config.rate_limits or ClientRateLimits(), "RateLimits.")
        self._check_numbers(self._config.use_notice_files or NoticeFileSettings(), "UseNoticeFiles.")
        self._check_prefixes()
        self._check_lists()

    def _insist(self, valid: bool, field: str, problem: str) -> None:
        if not valid:
            raise DocumentError(f"{self._file}: {field}: {problem}")

    def _insist_on_reading(self, field: str, read: Callable[[], object]) -> None:
        try:
            read()
        except (DocumentError, ValueError) as error:
            raise DocumentError(f"{self._file}: {field}: {error}") from error

    def _check_identity(self) -> None:
        config = self._config
        version, session, region = config.client_version, config.session_id, config.egress_region
        self._insist(
            version.isascii() and version.isdigit(),
            "ClientVersion",
            'write a whole number in quotes, like "1"',
        )
        self._insist(
            not session or (len(session) == 32 and not set(session) - _HEX),
            "SessionID",
            "write 32 lower-case hexadecimal digits, or leave it out",
        )
        self._insist(
            not region or _is_country(region),
            "EgressRegion",
            "write a country as two capital letters, or leave it empty",
        )
        self._insist(
            config.target_api_protocol in ("", "ssh"), "TargetAPIProtocol", 'write "ssh", or leave it out'
        )
        self._insist(
            config.target_api_encoding in ("", "cbor", "json"), "TargetAPIEncoding", 'write "cbor" or "json"'
        )

        for index, authorization in enumerate(config.authorizations):
            try:
                pack_authorizations([authorization])
            except (ValueError, TypeError):
                self._insist(
                    False, f"Authorizations[{index}]", "is no authorization: copy all of it, or leave it out"
                )

    def _check_connections(self) -> None:
        config = self._config
        for field, problem in local_proxy_mistakes(config):
            self._insist(False, field, problem)
        self._insist_on_reading("CustomHeaders", lambda: read_custom_headers(config.custom_headers))
        if config.upstream_proxy_url:
            self._insist_on_reading("UpstreamProxyURL", lambda: ProxyURL.parse(config.upstream_proxy_url))
        self._insist(
            config.bind_interface.isprintable() and len(config.bind_interface.encode()) <= _MAX_INTERFACE,
            "BindInterface",
            "write what the system calls a network interface, like eth0",
        )
        for region in config.split_tunnel_regions:
            self._insist(
                _is_country(region), "SplitTunnelRegions", "write countries as two capital letters each"
            )
        self._insist_on_reading(
            "SplitTunnelExcludedHosts", lambda: HostPatterns.parse(config.split_tunnel_excluded_hosts)
        )

    def _check_numbers(self, settings: msgspec.Struct, within: str = "") -> None:
        """Insist on numbers that mean something: what no field may be, told by its name."""
        for field in msgspec.structs.fields(settings):
            name, value = f"{within}{field.encode_name}", getattr(settings, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            self._insist(math.isfinite(value), name, "is not finite: write a number")
            if name.endswith("Probability"):
                self._insist(0 <= value <= 1, name, "write a number from 0 to 1")
            elif name == "ReplayCandidateCount":
                self._insist(value >= -1, name, f"{value} is below -1: write -1 for all, or zero or more")
            else:
                self._insist(value >= 0, name, f"{value} is below zero: write zero or more")

    def _check_establishment(self) -> None:
        config = self._config
        protocols = {
            "LimitTunnelProtocols": config.limit_tunnel_protocols,
            "InitialLimitTunnelProtocols": config.initial_limit_tunnel_protocols,
            "LimitTunnelDialPortNumbers": [
                name for name in config.limit_tunnel_dial_port_numbers if name != "All"
            ],
        }
        for field, names in protocols.items():
            for name in names:
                self._insist(
                    name in TUNNEL_PROTOCOLS,
                    field,
                    f"{name} is no tunnel protocol: write for instance OSSH or SSH",
                )
        for name, ports in config.limit_tunnel_dial_port_numbers.items():
            self._insist_on_reading(f"LimitTunnelDialPortNumbers.{name}", partial(parse_ports, ports))
        self._insist(
            bool(config.initial_limit_tunnel_protocols)
            == bool(config.initial_limit_tunnel_protocols_candidate_count),
            "InitialLimitTunnelProtocols",
            "works together with InitialLimitTunnelProtocolsCandidateCount only: give both, or neither",
        )
        self._insist(
            config.tunnel_pool_size <= _MAX_POOL,
            "TunnelPoolSize",
            f"write {_MAX_POOL} at most, or leave it out",
        )
        self._insist(
            config.establish_tunnel_selection_policy in ("first-ready", "collect"),
            "EstablishTunnelSelectionPolicy",
            'write "first-ready" or "collect"',
        )
        work_time = config.establish_tunnel_work_time_seconds
        self._insist(
            work_time is None or work_time > 0,
            "EstablishTunnelWorkTimeSeconds",
            "is not above zero: write some seconds, or leave it out",
        )
        multiplier = config.network_latency_multiplier
        self._insist(
            multiplier == 0 or multiplier >= 1, "NetworkLatencyMultiplier", "write 1 or more, or leave it out"
        )

    def _check_ranges(self) -> None:
        config = self._config
        least, most = config.padding
        self._insist(
            0 <= least <= most <= MAX_PADDING,
            "ObfuscatedSSHMinPadding",
            f"with ObfuscatedSSHMaxPadding, write a range within 0 and {MAX_PADDING}",
        )
        for low, high in (
            ("OSSHPrefixSplitMinDelayMilliseconds", "OSSHPrefixSplitMaxDelayMilliseconds"),
            ("LivenessTestMinUpstreamBytes", "LivenessTestMaxUpstreamBytes"),
            ("LivenessTestMinDownstreamBytes", "LivenessTestMaxDownstreamBytes"),
        ):
            self._insist(
                self._value(low) <= self._value(high), high, f"is below {low}: make it the larger one"
            )
        low, high = "SSHKeepAlivePeriodMinMilliseconds", "SSHKeepAlivePeriodMaxMilliseconds"
        self._insist((self._value(low) is None) == (self._value(high) is None), low, f"give {high} too")
        self._insist(
            (self._value(low) or 0) <= (self._value(high) or 0),
            high,
            f"is below {low}: make it the larger one",
        )
        self._insist(self._value(high) != 0, high, "is not above zero: write some milliseconds")

    def _value(self, name: str) -> Any:
        return getattr(self._config, _ATTRIBUTES[name])

    def _check_prefixes(self) -> None:
        config = self._config
        specs = read_prefix_specs(config.ossh_prefix_specs, self._file, "OSSHPrefixSpecs")
        for names in config.ossh_prefix_scoped_spec_names.values():
            for name in names:
                self._insist(
                    name in specs,
                    "OSSHPrefixScopedSpecNames",
                    f"{name} is not in OSSHPrefixSpecs: add or remove it",
                )
        for name in config.shipped_prefixes:
            known = ", ".join(CLIENT_SPECS)
            self._insist(
                name in CLIENT_SPECS, "ShippedPrefixes", f"{name} is none of ours: there are {known}"
            )
        try:
            config.prefixes()
        except DocumentError as error:
            raise DocumentError(f"{self._file}: {error}") from error

    def _check_lists(self) -> None:
        """Insist on URLs and keys that can be used, and on the key that stored lists are signed with."""
        config = self._config
        self._insist_on_reading("RemoteServerListURLs", lambda: config.remote_server_lists)
        self._insist_on_reading("ObfuscatedServerListRootURLs", lambda: config.obfuscated_server_list_roots)
        if config.server_entry_signature_public_key:
            self._insist_on_reading(
                "ServerEntrySignaturePublicKey",
                lambda: VerifyingKey.from_text(config.server_entry_signature_public_key),
            )
        if config.remote_server_list_urls or config.obfuscated_server_list_root_urls:
            if not config.remote_server_list_signature_public_key:
                raise DocumentError(
                    f"{self._file}: RemoteServerListSignaturePublicKey is missing: add the key that lists "
                    "are signed with, or remove RemoteServerListURLs and ObfuscatedServerListRootURLs"
                )
            self._insist_on_reading(
                "RemoteServerListSignaturePublicKey",
                lambda: PackageVerifyingKey.from_text(config.remote_server_list_signature_public_key),
            )


_ATTRIBUTES = {field.encode_name: field.name for field in msgspec.structs.fields(ClientConfig)}
