"""A server entry, typed: all a client needs to reach one server (server lists spec §1.2, §1.3).

Names are matched without regard to case, the last variant in the text winning, because entries in the field
are written that way; types are strict. `fields` keeps the mapping the view was made from, for storing and
forwarding.
"""

from collections.abc import Collection

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents import entry_fields
from headrace.documents.capabilities import (
    SSH_API_REQUESTS,
    allowed_protocols,
    capability_name,
    has_capability,
    is_fronted,
    is_inproxy,
    is_meek,
    is_quic,
    tactics_capability_name,
)
from headrace.documents.config_reader import explain, fold

__all__ = ["ServerEntry"]


class ServerEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fixed-record view of an entry. Ports are 0 and texts empty when absent."""

    tag: str = ""
    ip_address: str = ""
    web_server_port: str = ""
    web_server_secret: str = ""
    web_server_certificate: str = ""
    ssh_port: int = 0
    ssh_username: str = ""
    ssh_password: str = ""
    ssh_host_key: str = ""  # base64 of the key blob
    ssh_obfuscated_port: int = 0
    ssh_obfuscated_quic_port: int = msgspec.field(default=0, name="sshObfuscatedQUICPort")
    limit_quic_versions: list[str] = msgspec.field(default_factory=list, name="limitQUICVersions")
    ssh_obfuscated_tapdance_port: int = 0
    ssh_obfuscated_conjure_port: int = 0
    ssh_obfuscated_key: str = ""  # the keyword, used as the text it is
    ssh_shadowsocks_port: int = 0
    ssh_shadowsocks_key: str = ""
    capabilities: list[str] = []
    region: str = ""
    provider_id: str = msgspec.field(default="", name="providerID")
    fronting_provider_id: str = msgspec.field(default="", name="frontingProviderID")
    tls_ossh_port: int = msgspec.field(default=0, name="tlsOSSHPort")
    meek_server_port: int = 0
    meek_cookie_encryption_public_key: str = ""
    meek_obfuscated_key: str = ""
    meek_fronting_host: str = ""
    meek_fronting_hosts: list[str] = []
    meek_fronting_domain: str = ""
    meek_fronting_addresses: list[str] = []
    meek_fronting_addresses_regex: str = ""
    meek_fronting_disable_sni: bool = msgspec.field(default=False, name="meekFrontingDisableSNI")
    tactics_request_public_key: str = ""
    tactics_request_obfuscated_key: str = ""
    configuration_version: int = 0
    signature: str = ""
    disable_http_transforms: bool = msgspec.field(default=False, name="disableHTTPTransforms")
    disable_obfuscated_quic_transforms: bool = msgspec.field(
        default=False, name="disableObfuscatedQUICTransforms"
    )
    disable_ossh_transforms: bool = msgspec.field(default=False, name="disableOSSHTransforms")
    disable_ossh_prefix: bool = msgspec.field(default=False, name="disableOSSHPrefix")
    disable_shadowsocks_prefix: bool = False
    inproxy_session_public_key: str = ""
    inproxy_session_root_obfuscation_secret: str = ""
    inproxy_ssh_port: int = msgspec.field(default=0, name="inproxySSHPort")
    inproxy_ossh_port: int = msgspec.field(default=0, name="inproxyOSSHPort")
    inproxy_quic_port: int = msgspec.field(default=0, name="inproxyQUICPort")
    inproxy_meek_port: int = 0
    inproxy_tls_ossh_port: int = msgspec.field(default=0, name="inproxyTlsOSSHPort")
    inproxy_shadowsocks_port: int = 0
    allow_upstream_proxy: bool = False
    local_source: str = ""
    local_timestamp: str = ""
    is_local_derived_tag: bool = False

    fields: dict[str, object] = msgspec.field(default_factory=dict, name="")

    @classmethod
    def decode(cls, line: str, source: str = "", timestamp: str = "") -> "ServerEntry":
        """Return the entry of an encoded line. Raises DocumentError.

        A non-empty `source` or `timestamp` takes the place of the entry's own local field.
        """
        return cls.from_fields(entry_fields.decode_fields(line, source, timestamp))

    @classmethod
    def from_fields(cls, fields: dict[str, object]) -> "ServerEntry":
        """Return the typed view of `fields`. Raises DocumentError when a known field has the wrong type."""
        known, _ = fold(fields, _NAMES)
        try:
            entry = msgspec.convert(known, cls)
        except msgspec.ValidationError as error:
            raise DocumentError(f"server entry field {explain(error)}") from error
        addresses = entry.meek_fronting_addresses
        if not addresses and entry.meek_fronting_domain:
            addresses = [entry.meek_fronting_domain]
        return msgspec.structs.replace(entry, fields=fields, meek_fronting_addresses=addresses)

    def encode(self) -> str:
        """Return the encoded line of the mapping behind this view: nothing is lost."""
        return entry_fields.encode_fields(self.fields)

    def validate(self) -> None:
        """Insist on a usable address, source and timestamp. Raises DocumentError."""
        entry_fields.validate_fields(self.fields)

    @property
    def effective_tag(self) -> str:
        """The entry's own tag, or the derived one."""
        return entry_fields.entry_tag(self.fields)

    @property
    def diagnostic_id(self) -> str:
        """What names this server in logs and notices, saying nothing about where it is."""
        return entry_fields.diagnostic_id(self.effective_tag)

    def supports(self, protocol: str) -> bool:
        """True when the server announces `protocol`."""
        return has_capability(self.capabilities, capability_name(protocol))

    @property
    def supports_ssh_api(self) -> bool:
        """True when the server takes API requests through the tunnel."""
        return has_capability(self.capabilities, SSH_API_REQUESTS)

    @property
    def supports_only_quic_v1(self) -> bool:
        """True when the server does not speak Google's older QUIC."""
        return "QUICv1" in self.capabilities and "QUIC" not in self.capabilities

    def supported_protocols(
        self,
        limit: Collection[str] = (),
        *,
        upstream_proxy: bool = False,
        exclude_intensive: bool = False,
        quic_versions: Collection[str] | None = None,
    ) -> list[str]:
        """Return what can be tried with this server, in selection order.

        `quic_versions` are those the client speaks; None asks no questions.
        """
        allowed = allowed_protocols(limit, upstream_proxy=upstream_proxy, exclude_intensive=exclude_intensive)
        return [
            protocol
            for protocol in allowed
            if self.supports(protocol) and (not is_quic(protocol) or self._speaks_quic(quic_versions))
        ]

    def tactics_protocols(self) -> list[str]:
        """Return the protocols over which this server answers tactics requests."""
        return [
            protocol
            for protocol in self.supported_protocols()
            if is_meek(protocol) and has_capability(self.capabilities, tactics_capability_name(protocol))
        ]

    def dial_port(self, protocol: str) -> int:
        """Return the port to dial for `protocol`; 0 when the entry gives none."""
        if is_fronted(protocol):
            return 80 if protocol.endswith("FRONTED-MEEK-HTTP-OSSH") else 443
        if is_inproxy(protocol):
            ports = {
                "SSH": self.inproxy_ssh_port,
                "OSSH": self.inproxy_ossh_port,
                "TLS-OSSH": self.inproxy_tls_ossh_port or self.inproxy_meek_port,
                "QUIC-OSSH": self.inproxy_quic_port,
                "SHADOWSOCKS-OSSH": self.inproxy_shadowsocks_port,
            }
            return ports.get(protocol.removeprefix("INPROXY-WEBRTC-"), self.inproxy_meek_port)
        ports = {
            "SSH": self.ssh_port,
            "OSSH": self.ssh_obfuscated_port,
            "TLS-OSSH": self.tls_ossh_port or self.meek_server_port,
            "QUIC-OSSH": self.ssh_obfuscated_quic_port,
            "TAPDANCE-OSSH": self.ssh_obfuscated_tapdance_port,
            "CONJURE-OSSH": self.ssh_obfuscated_conjure_port,
            "SHADOWSOCKS-OSSH": self.ssh_shadowsocks_port,
        }
        return ports.get(protocol, self.meek_server_port)

    def _speaks_quic(self, versions: Collection[str] | None) -> bool:
        return (
            versions is None
            or not self.limit_quic_versions
            or bool({*versions} & {*self.limit_quic_versions})
        )


_NAMES = [field.encode_name for field in msgspec.structs.fields(ServerEntry) if field.encode_name]
