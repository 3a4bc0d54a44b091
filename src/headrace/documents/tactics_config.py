"""The part of a tactics file that a server applies to itself: how it answers OSSH prefixes, how it chooses
whom clients are told of (tunnel spec §3, server-lists spec §5.1).

    {"DefaultTactics": {"Probability": 1.0, "Parameters": {
        "ServerOSSHPrefixSpecs": {name: [["", regex]]}, "ServerDiscoveryStrategy": "classic"}}}

Parameters count only when the probability is above zero. Split delays are durations as text, like "20ms".
"""

from typing import NamedTuple

import msgspec

from headrace.base.errors import DocumentError
from headrace.codec.go_duration import parse_duration
from headrace.documents.config_reader import convert_config, field_names, fold_deep, read_object
from headrace.documents.prefix_specs import RawPrefixSpecs, read_prefix_specs
from headrace.obfuscation.default_prefix import default_server_prefixes
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["TACTICS_FIELDS", "ServerTactics", "read_tactics_config"]


class ServerTactics(NamedTuple):
    """What a server is told by its tactics."""

    prefixes: PrefixSpecs = default_server_prefixes()
    discovery_strategy: str = ""  #: "" if they do not say
    unknown_fields: tuple[str, ...] = ()  #: most of them are parameters of clients


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    specs: RawPrefixSpecs = msgspec.field(default={}, name="ServerOSSHPrefixSpecs")
    split_min_delay: str = msgspec.field(default="0", name="OSSHPrefixSplitMinDelay")
    split_max_delay: str = msgspec.field(default="0", name="OSSHPrefixSplitMaxDelay")
    discovery_strategy: str = msgspec.field(default="", name="ServerDiscoveryStrategy")


class _Tactics(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    probability: float = 0.0
    parameters: _Parameters = _Parameters()


class _File(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    default_tactics: _Tactics = _Tactics()


TACTICS_FIELDS = field_names(_File)
"""The names of what is read."""


def read_tactics_config(data: bytes, file: str = "tactics") -> ServerTactics:
    """Return what the tactics in `data`, read from `file`, tell the server itself. Raises DocumentError."""
    known, unknown = fold_deep(read_object(data, file), _File)
    tactics = convert_config(known, _File, file).default_tactics
    where = "DefaultTactics.Parameters."
    specs = read_prefix_specs(tactics.parameters.specs, file, where + "ServerOSSHPrefixSpecs")
    shortest = _seconds(tactics.parameters.split_min_delay, file, where + "OSSHPrefixSplitMinDelay")
    longest = _seconds(tactics.parameters.split_max_delay, file, where + "OSSHPrefixSplitMaxDelay")
    if shortest > longest:
        raise DocumentError(
            f"{file}: {where}OSSHPrefixSplitMaxDelay: is below the minimum: make it the larger"
        )
    try:
        prefixes = (
            default_server_prefixes(specs, (shortest, longest)) if longest else default_server_prefixes(specs)
        )
    except DocumentError as error:
        raise DocumentError(f"{file}: {where.removesuffix('.')}: {error}") from error
    if tactics.probability > 0:
        return ServerTactics(prefixes, tactics.parameters.discovery_strategy, tuple(unknown))
    return ServerTactics(unknown_fields=tuple(unknown))


def _seconds(text: str, file: str, name: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise DocumentError(f"{file}: {name}: {error}") from error
