"""What in a server's files is valid, and hardly meant: names that nothing has, rules that apply to nobody.

Each function yields where it is, as errors name it, and what is odd about it.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from headrace.documents.capabilities import TUNNEL_PROTOCOLS
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_filter import TrafficFilter
from headrace.documents.traffic_rules import TrafficRules

__all__ = ["in_configuration", "in_rules", "unknown_names"]

_COUNTRY: Final = re.compile(r"[A-Z]{2}|None")
_NO_DATABASE: Final = "applies to nobody without GeoIPDatabaseFilenames"


def unknown_names(
    paths: Iterable[str], names: Collection[str], *, all_of_them: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield the fields that nobody knows; with `all_of_them` off those only that look like one of `names`."""
    for path in paths:
        likely = difflib.get_close_matches(path.rpartition(".")[2], names, 1, 0.8)
        if likely:
            yield path, f"is no field: did you mean {likely[0]}?"
        elif all_of_them:
            yield path, "is of no use here"


def in_configuration(config: ServerConfig) -> Iterator[tuple[str, str]]:
    """Yield what is odd about the configuration by itself."""
    for field in config.testing_settings:
        yield field, "is for tests: never run a public server with it"
    for name in config.unsupported_protocols:
        yield "TunnelProtocolPorts", f"{name} is not spoken here, and not served"
    if config.blocklist_active and not config.blocklist_filename:
        yield "BlocklistActive", "does nothing without a list: name one as BlocklistFilename"
    if config.destination_bytes_asns and not config.geo_ip_database_filenames:
        yield "DestinationBytesASNs", "counts nothing without GeoIPDatabaseFilenames"
    if config.http_front and "OSSH" not in config.tunnel_protocol_ports:
        yield "HTTPFront", "does nothing without OSSH among TunnelProtocolPorts"


def in_rules(rules: TrafficRules, config: ServerConfig) -> Iterator[tuple[str, str]]:
    """Yield the conditions of filters that no client meets."""
    granted = {key.access_type for key in config.access_control_verification_key_ring.keys}
    for where, conditions in rules.filters():
        for name in sorted(conditions.tunnel_protocols - set(TUNNEL_PROTOCOLS)):
            yield f"{where}.TunnelProtocols", f"{name} is no tunnel protocol"
        for name in sorted(conditions.regions):
            if not _COUNTRY.fullmatch(name):
                yield f"{where}.Regions", f"{name} is no country: write two capital letters"
        for name in sorted(conditions.authorized_access_types - granted):
            yield (
                f"{where}.AuthorizedAccessTypes",
                f"nothing gives {name}: AccessControlVerificationKeyRing has no key for it",
            )
        if not config.geo_ip_database_filenames:
            for field, places in _places(conditions):
                if places - {"None"}:
                    yield f"{where}.{field}", _NO_DATABASE


def _places(conditions: TrafficFilter) -> list[tuple[str, frozenset[str]]]:
    return [
        ("Regions", conditions.regions),
        ("ISPs", conditions.isps),
        ("ASNs", conditions.asns),
        ("Cities", conditions.cities),
    ]
