"""The fields of a server entry, under the names that clients know (operations spec §1.11).

What a server does not have is left out: entries travel in bundles, lists and QR codes.
"""

import hashlib
from typing import Annotated, Final

import msgspec

from headrace.base.errors import OperatorError
from headrace.network.book import View
from headrace.network.exports.classified import MadeOf, Secret
from headrace.network.model import Host, Provider, Server
from headrace.network.rendering.capabilities import published_capabilities
from headrace.network.rendering.ports import protocol_ports

__all__ = ["EntryRecord", "entry_record"]

#: Alternates of a fronting host or address that one entry has.
_ALTERNATES: Final = 3


class EntryRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A server entry without its signature."""

    ipAddress: Annotated[str, MadeOf(Server.address)]
    webServerSecret: Annotated[str, MadeOf(Secret(Server, "web_secret"))]
    configurationVersion: Annotated[int, MadeOf(Server.configuration_version)] = 0
    region: Annotated[str, MadeOf(Host.region)] = ""
    capabilities: Annotated[
        list[str],
        MadeOf(
            Server.capabilities, Host.meek_port, Host.fronting_hosts, Host.passthrough_version, Host.gquic
        ),
    ] = []
    providerID: Annotated[str, MadeOf(Provider.published_id)] = ""
    frontingProviderID: Annotated[str, MadeOf(Host.fronting_provider_id)] = ""

    sshPort: Annotated[int, MadeOf(Server.ssh_port)] = 0
    sshUsername: Annotated[str, MadeOf(Secret(Server, "ssh_username"))] = ""
    sshPassword: Annotated[str, MadeOf(Secret(Server, "ssh_password"))] = ""
    sshHostKey: Annotated[str, MadeOf(Server.ssh_host_key)] = ""
    sshObfuscatedPort: Annotated[int, MadeOf(Server.ossh_ports)] = 0
    sshObfuscatedKey: Annotated[str, MadeOf(Secret(Server, "obfuscation_key"))] = ""
    sshObfuscatedQUICPort: Annotated[int, MadeOf(Server.quic_port)] = 0
    limitQUICVersions: Annotated[list[str], MadeOf(Host.limit_quic_versions)] = []
    TlsOSSHPort: Annotated[int, MadeOf(Server.tls_port)] = 0
    SshShadowsocksPort: Annotated[int, MadeOf(Server.shadowsocks_port)] = 0
    SshShadowsocksKey: Annotated[str, MadeOf(Secret(Server, "shadowsocks_key"))] = ""
    sshObfuscatedTapdancePort: Annotated[int, MadeOf(Server.tapdance_port)] = 0
    sshObfuscatedConjurePort: Annotated[int, MadeOf(Server.conjure_port)] = 0

    meekServerPort: Annotated[int, MadeOf(Host.meek_port)] = 0
    meekObfuscatedKey: Annotated[str, MadeOf(Secret(Host, "meek_obfuscation_key"))] = ""
    meekCookieEncryptionPublicKey: Annotated[str, MadeOf(Host.meek_cookie_public_key)] = ""
    meekFrontingDomain: Annotated[str, MadeOf(Host.fronting_domain)] = ""
    meekFrontingHost: Annotated[str, MadeOf(Host.fronting_host)] = ""
    meekFrontingHosts: Annotated[list[str], MadeOf(Host.fronting_hosts)] = []
    meekFrontingAddresses: Annotated[list[str], MadeOf(Host.fronting_addresses)] = []
    meekFrontingAddressesRegex: Annotated[str, MadeOf(Host.fronting_addresses_regex)] = ""
    meekFrontingDisableSNI: Annotated[bool, MadeOf(Host.fronting_disable_sni)] = False

    tacticsRequestPublicKey: Annotated[str, MadeOf(Host.tactics_request_public_key)] = ""
    tacticsRequestObfuscatedKey: Annotated[str, MadeOf(Secret(Host, "tactics_request_obfuscation_key"))] = ""

    inproxySSHPort: Annotated[int, MadeOf(Server.inproxy_ssh_port)] = 0
    inproxyOSSHPort: Annotated[int, MadeOf(Server.inproxy_ossh_port)] = 0
    inproxyQUICPort: Annotated[int, MadeOf(Server.inproxy_quic_port)] = 0
    inproxySessionPublicKey: Annotated[str, MadeOf(Host.inproxy_session_public_key)] = ""
    inproxySessionRootObfuscationSecret: Annotated[
        str, MadeOf(Secret(Host, "inproxy_session_root_obfuscation_secret"))
    ] = ""


def entry_record(view: View, server: Server) -> EntryRecord:
    """Return the entry of a server. Raises OperatorError for one without an address or log-in."""
    host = server.host
    secrets, host_secrets = view.secrets(server), view.secrets(host)
    for name in ("web_secret", "ssh_username", "ssh_password"):
        if not secrets.get(name):
            raise OperatorError(
                f"{server.pseudonym} has no {name.replace('_', ' ')}: no entry can be made of it"
            )
    if not server.address:
        raise OperatorError(f"{server.pseudonym} has no address: no entry can be made of it")
    ports = protocol_ports(host, server)
    published = published_capabilities(host, server)
    record = EntryRecord(
        ipAddress=server.address,
        webServerSecret=secrets["web_secret"],
        configurationVersion=server.configuration_version,
        region=host.region,
        capabilities=published,
        providerID=host.provider.published_id,
        sshUsername=secrets["ssh_username"],
        sshPassword=secrets["ssh_password"],
        sshHostKey=server.ssh_host_key,
        sshPort=ports.get("SSH", 0),
        sshObfuscatedPort=ports.get("OSSH", 0),
        sshObfuscatedKey=secrets.get("obfuscation_key", ""),
        TlsOSSHPort=ports.get("TLS-OSSH", 0),
        sshObfuscatedTapdancePort=ports.get("TAPDANCE-OSSH", 0),
        sshObfuscatedConjurePort=ports.get("CONJURE-OSSH", 0),
    )
    if "QUIC-OSSH" in ports:
        record.sshObfuscatedQUICPort = ports["QUIC-OSSH"]
        record.limitQUICVersions = host.limit_quic_versions
    if "SHADOWSOCKS-OSSH" in ports:
        record.SshShadowsocksPort = ports["SHADOWSOCKS-OSSH"]
        record.SshShadowsocksKey = secrets.get("shadowsocks_key", "")
    if any("MEEK" in name for name in published):
        record.meekServerPort = host.meek_port
        record.meekCookieEncryptionPublicKey = host.meek_cookie_public_key
    if any("MEEK" in name or name.startswith("TLS") for name in published):
        record.meekObfuscatedKey = host_secrets.get("meek_obfuscation_key", "")
    if any(name.startswith("FRONTED") for name in published):
        record.frontingProviderID = host.fronting_provider_id
        record.meekFrontingDomain = host.fronting_domain
        record.meekFrontingHost = host.fronting_host
        record.meekFrontingHosts = _some(host.fronting_hosts, server.tag)
        record.meekFrontingAddresses = _some(host.fronting_addresses, server.tag)
        record.meekFrontingAddressesRegex = host.fronting_addresses_regex
        record.meekFrontingDisableSNI = host.fronting_disable_sni
    if any(name.endswith("-TACTICS") for name in published):
        record.tacticsRequestPublicKey = host.tactics_request_public_key
        record.tacticsRequestObfuscatedKey = host_secrets.get("tactics_request_obfuscation_key", "")
    if any(name.startswith("INPROXY") for name in published):
        record.inproxySSHPort = ports.get("INPROXY-WEBRTC-SSH", 0)
        record.inproxyOSSHPort = ports.get("INPROXY-WEBRTC-OSSH", 0)
        record.inproxyQUICPort = ports.get("INPROXY-WEBRTC-QUIC-OSSH", 0)
        record.inproxySessionPublicKey = host.inproxy_session_public_key
        record.inproxySessionRootObfuscationSecret = host_secrets.get(
            "inproxy_session_root_obfuscation_secret", ""
        )
    return record


def _some(alternates: list[str], tag: str) -> list[str]:
    """Return a few alternates, always the same for a server, so that an entry is another only when it is."""

    def score(alternate: str) -> bytes:
        return hashlib.sha256(f"{tag} {alternate}".encode()).digest()

    return sorted(sorted(alternates, key=score)[:_ALTERNATES])
