"""The part of a tactics file that a server applies to itself: how it answers OSSH prefixes (tunnel spec §3).

    {"DefaultTactics": {"Probability": 1.0, "Parameters": {"ServerOSSHPrefixSpecs": {name: [["", regex]]}}}}

Parameters count only when the probability is above zero. Split delays are durations as text, like "20ms".
"""

import msgspec

from headrace.base.errors import DocumentError
from headrace.codec.go_duration import parse_duration
from headrace.documents.config_reader import convert_config, fold_deep, read_object
from headrace.documents.prefix_specs import RawPrefixSpecs, read_prefix_specs
from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["read_tactics_config"]


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    specs: RawPrefixSpecs = msgspec.field(default={}, name="ServerOSSHPrefixSpecs")
    split_min_delay: str = msgspec.field(default="0", name="OSSHPrefixSplitMinDelay")
    split_max_delay: str = msgspec.field(default="0", name="OSSHPrefixSplitMaxDelay")


class _Tactics(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    probability: float = 0.0
    parameters: _Parameters = _Parameters()


class _File(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    default_tactics: _Tactics = _Tactics()


def read_tactics_config(data: bytes, file: str = "tactics") -> PrefixSpecs:
    """Return the prefixes a server answers with, as `data`, read from `file`, has them.

    Raises DocumentError.
    """
    known, _ = fold_deep(read_object(data, file), _File)
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
        prefixes = PrefixSpecs.compile(specs, split_delay=(shortest, longest))
    except DocumentError as error:
        raise DocumentError(f"{file}: {where.removesuffix('.')}: {error}") from error
    return prefixes if tactics.probability > 0 else PrefixSpecs()


def _seconds(text: str, file: str, name: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise DocumentError(f"{file}: {name}: {error}") from error
