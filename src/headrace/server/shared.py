"""What all sessions of a server share: the configuration, read and checked once, and what is made from it."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import DocumentError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.discovery.strategy import Strategy, make_strategy
from headrace.documents.blocklist import NO_BLOCKLIST, Blocklist, read_blocklist
from headrace.documents.osl.config import NO_SCHEMES, OslConfig, read_osl_config
from headrace.documents.psinet import NO_PSINET, Psinet, read_psinet
from headrace.documents.server_config import ServerConfig
from headrace.documents.server_entry import ServerEntry
from headrace.documents.tactics_config import ServerTactics, read_tactics_config
from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, TrafficRules, read_traffic_rules
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.server.api import ApiServices
from headrace.server.discovery import Discovery
from headrace.server.egress import Egress, local_addresses
from headrace.server.gate import Exits
from headrace.server.geoip import NO_COUNTRIES, GeoIP
from headrace.server.patience import Patience, limit_of
from headrace.server.stats.destination_bytes import DestinationBytes
from headrace.server.stats.event_log import EventLog, open_event_log
from headrace.server.stats.file_times import file_times
from headrace.ssh.connection import MAX_CHANNELS
from headrace.ssh.host_keys import HostKey

__all__ = ["Shared", "identification"]

#: Plain SSH shows its identification, so a server that was not told one takes that of a common OpenSSH.
_IDENTIFICATIONS: Final = (
    "SSH-2.0-OpenSSH_8.2p1 Ubuntu-4ubuntu0.13",
    "SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u5",
    "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.13",
    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7",
    "SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.14",
)
_GENERATED_IDENTIFICATION: Final = "SSH-2.0-Psiphon"


@dataclass(frozen=True, slots=True, repr=False)
class Shared:
    """Everything a session needs that is the same for all of them. Full of secrets, so nothing shows it."""

    config: ServerConfig
    keyword: bytes
    host_key: HostKey
    identification: bytes
    prefixes: PrefixSpecs
    written: Mapping[str, float]  #: when the files were, seconds since 1970, by the field that names them
    rules: TrafficRules
    osl: OslConfig
    psinet: Psinet
    discovery: Discovery
    geo_ip: GeoIP
    blocklist: Blocklist
    egress: Egress
    api: ApiServices
    seen: Callable[[bytes], bool]
    events: EventLog
    destinations: DestinationBytes
    rng: Rng
    clock: Clock

    user: str
    password: str
    patience: Patience  #: until a client is logged in, and with strangers
    queue_timeout: float  #: seconds that a handshake may wait for its turn
    max_handshakes: int  #: 0 for no limit
    udpgw: tuple[str, int] | None  #: the destination at which we speak udpgw ourselves
    dns_server: str  #: "" for the system's
    provider_id: str  #: of who runs the host, as its own server entry says
    forwards_before_handshake: bool  #: for tests with plain SSH clients
    max_channels: int = MAX_CHANNELS

    @classmethod
    def load(
        cls,
        config: ServerConfig,
        directory: Path,
        seen: Callable[[bytes], bool],
        *,
        rng: Rng = SYSTEM_RNG,
        clock: Clock = SYSTEM_CLOCK,
    ) -> "Shared":
        """Read the files that the configuration names, relative to `directory`. Raises DocumentError."""
        files = _Files.read(config, directory)
        events = open_event_log(config, directory, clock)
        destinations = DestinationBytes(events)
        return cls(
            config=config,
            keyword=config.obfuscated_ssh_key.encode(),
            host_key=HostKey.from_pem(config.ssh_private_key),
            identification=identification(config).encode(),
            **files._asdict(),
            egress=Egress(
                allow_bogons=config.allow_bogons,
                own_addresses=[config.server_ip_address, *local_addresses()],
            ),
            api=ApiServices(
                config=config,
                psinet=files.psinet,
                write_event=events.write,
                count_domain=destinations.add_domain,
                clock=clock,
                rng=rng,
            ),
            seen=seen,
            events=events,
            destinations=destinations,
            rng=rng,
            clock=clock,
            user=config.ssh_user_name,
            password=config.ssh_password,
            patience=_patience(config),
            queue_timeout=config.ssh_begin_handshake_timeout_milliseconds / 1000,
            max_handshakes=config.max_concurrent_ssh_handshakes,
            udpgw=config.udpgw_address,
            dns_server=config.dns_resolver_ip_address,
            provider_id=_provider_id(config),
            forwards_before_handshake=config.allow_forwards_before_handshake,
        )

    def reloaded(self, directory: Path) -> "Shared":
        """Return this with the files read anew that may change. Raises DocumentError."""
        files = _Files.read(self.config, directory, self.geo_ip, self.blocklist)
        api = replace(self.api, psinet=files.psinet)
        return replace(self, **files._asdict(), api=api)

    @property
    def exits(self) -> Exits:
        """What decides where clients may be led to."""
        return Exits(self.egress, self.geo_ip, self.blocklist, self.config.blocklist_active)


class _Files(NamedTuple):
    """What is in the files that may change while the server runs."""

    written: Mapping[str, float]
    rules: TrafficRules
    prefixes: PrefixSpecs
    osl: OslConfig
    psinet: Psinet
    discovery: Discovery
    geo_ip: GeoIP
    blocklist: Blocklist

    @classmethod
    def read(
        cls,
        config: ServerConfig,
        directory: Path,
        geo_ip: GeoIP = NO_COUNTRIES,
        blocklist: Blocklist = NO_BLOCKLIST,
    ) -> "_Files":
        """Read them, but for large ones that `geo_ip` and `blocklist` come from and that did not change."""
        written = file_times(config, directory)
        rules, tactics, osl, psinet = DEFAULT_TRAFFIC_RULES, ServerTactics(), NO_SCHEMES, NO_PSINET
        if config.traffic_rules_filename:
            rules = read_traffic_rules(
                *_file(directory, config.traffic_rules_filename, "TrafficRulesFilename")
            )
        if config.tactics_config_filename:
            tactics = read_tactics_config(
                *_file(directory, config.tactics_config_filename, "TacticsConfigFilename")
            )
        if config.osl_config_filename:
            osl = read_osl_config(*_file(directory, config.osl_config_filename, "OSLConfigFilename"))
        if config.psinet_database_filename:
            field = "PsinetDatabaseFilename"
            content, path = _file(directory, config.psinet_database_filename, field)
            psinet = read_psinet(content, path, written.get(field, 0.0))
        discovery = Discovery(psinet.discovery_servers, _discovery_strategy(config, tactics))
        paths = [directory / name for name in config.geo_ip_database_filenames]
        geo_ip = GeoIP.load(paths, geo_ip)
        blocklist = _blocklist(directory, config.blocklist_filename, blocklist)
        return cls(written, rules, tactics.prefixes, osl, psinet, discovery, geo_ip, blocklist)


def _blocklist(directory: Path, name: str, before: Blocklist) -> Blocklist:
    """Return what is in the file, which is `before` if it has not changed. Raises DocumentError."""
    if not name:
        return NO_BLOCKLIST
    path = directory / name
    try:
        stat = path.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if before.version == version:
            return before
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return read_blocklist(lines, str(path), version=version)
    except OSError as error:
        raise DocumentError(f"BlocklistFilename: {path} cannot be read: {error.strerror}") from error


def _discovery_strategy(config: ServerConfig, tactics: ServerTactics) -> Strategy:
    """Return the strategy that the tactics name, or else the configuration. Raises DocumentError."""
    chosen = tactics.discovery_strategy or config.server_discovery_strategy
    try:
        return make_strategy(chosen, config.discovery_value_hmac_key)
    except DocumentError as error:
        where = f"{config.tactics_config_filename}: " if tactics.discovery_strategy else ""
        raise DocumentError(f"{where}ServerDiscoveryStrategy: {error}") from error


def identification(config: ServerConfig) -> str:
    """Return the identification line: the configured one, or a common one that stays this server's own."""
    if config.ssh_server_version != _GENERATED_IDENTIFICATION:
        return config.ssh_server_version
    digest = hmac.digest(_own_key(config), b"identification", hashlib.sha256)
    return _IDENTIFICATIONS[digest[0] % len(_IDENTIFICATIONS)]


def _patience(config: ServerConfig) -> Patience:
    configured = config.ssh_handshake_timeout_milliseconds / 1000
    return Patience(configured or limit_of(_own_key(config)))


def _own_key(config: ServerConfig) -> bytes:
    """Return a secret that no other server has, from which choices follow that are to last."""
    return (config.obfuscated_ssh_key or config.ssh_password).encode()


def _provider_id(config: ServerConfig) -> str:
    entries = map(ServerEntry.decode, config.own_encoded_server_entries.values())
    return next((entry.provider_id for entry in entries if entry.provider_id), "")


def _file(directory: Path, name: str, field: str) -> tuple[bytes, str]:
    path = directory / name
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise DocumentError(f"{field}: {path} cannot be read: {error.strerror}") from error
