"""The configuration of obfuscated lists: one file for the servers and for the paver (server lists spec §4.1).

A scheme says which traffic earns keys, how long a period lasts, and how the keys of periods combine into the
key of a list. Its lists follow one another without a gap, from its epoch on. Times are nanoseconds since
1970.
"""

import math
from functools import cached_property
from typing import Final

import msgspec

from headrace.crypto.shamir import MAX_SHARES
from headrace.documents.config_reader import convert_config, fold_deep, read_object
from headrace.documents.osl.key_shares import MAX_LEVELS
from headrace.documents.osl.networks import NetworkSet
from headrace.documents.osl.sloks import SECRET_SIZE, nanoseconds, period_start
from headrace.documents.port_policy import parse_networks

__all__ = ["NO_SCHEMES", "KeySplit", "OslConfig", "Scheme", "SeedSpec", "Targets", "read_osl_config"]


class Targets(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a client must reach in one period, all of it. "Read" is what destinations sent: the way down."""

    bytes_read: int = 0
    bytes_written: int = 0
    port_forward_duration_nanoseconds: int = 0


class SeedSpec(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", dict=True):
    """A pattern of traffic: to these networks or these systems, so much."""

    id: bytes = msgspec.field(name="ID")  # secret
    description: str = ""
    upstream_subnets: list[str] = []
    upstream_asns: list[str] = msgspec.field(default=[], name="UpstreamASNs")
    targets: Targets = Targets()

    def __post_init__(self) -> None:
        if len(self.id) != SECRET_SIZE:
            raise ValueError(
                f"the ID has {len(self.id)} bytes: write the base64 of {SECRET_SIZE} random ones"
            )
        if len(self.asns) != len(self.upstream_asns):
            raise ValueError("the UpstreamASNs name one twice")
        try:
            _ = self.networks
        except ValueError as error:
            raise ValueError(f"the UpstreamSubnets: {error}") from None

    def __repr__(self) -> str:
        return f"SeedSpec(description={self.description!r})"

    @cached_property
    def networks(self) -> NetworkSet:
        """The subnets."""
        return NetworkSet(parse_networks(self.upstream_subnets))

    @cached_property
    def asns(self) -> frozenset[str]:
        """The autonomous systems."""
        return frozenset(self.upstream_asns)


class KeySplit(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One level of secret sharing: so many shares, of which so many are needed."""

    total: int
    threshold: int

    def __post_init__(self) -> None:
        _check_split(self.threshold, self.total, "Threshold", "Total")


class Scheme(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", dict=True):
    """How a kind of list is seeded and paved."""

    epoch: str
    pave_data_osl_count: int = msgspec.field(default=0, name="PaveDataOSLCount")
    regions: list[str] = []  # empty: all
    propagation_channel_ids: list[str] = msgspec.field(default=[], name="PropagationChannelIDs")
    master_key: bytes  # secret
    seed_specs: list[SeedSpec]
    seed_spec_threshold: int
    seed_period_nanoseconds: int
    seed_period_key_splits: list[KeySplit]  # the lowest level first

    def __post_init__(self) -> None:
        if len(self.master_key) != SECRET_SIZE:
            length = len(self.master_key)
            raise ValueError(
                f"the MasterKey has {length} bytes: write the base64 of {SECRET_SIZE} random ones"
            )
        _check_split(self.seed_spec_threshold, len(self.seed_specs), "SeedSpecThreshold", "SeedSpecs' number")
        if self.seed_period_nanoseconds <= 0:
            raise ValueError("the SeedPeriodNanoseconds must be above zero")
        if period_start(self.start, self.seed_period_nanoseconds) != self.start:
            raise ValueError("the Epoch is no whole multiple of the period, counted from the year 1")
        if not 1 <= len(self.seed_period_key_splits) < MAX_LEVELS:
            raise ValueError(f"the SeedPeriodKeySplits need 1 to {MAX_LEVELS - 1} levels")

    def __repr__(self) -> str:
        return f"Scheme(epoch={self.epoch!r})"  # the rest is secret, or depends on what is

    @cached_property
    def start(self) -> int:
        """When the first list begins."""
        return nanoseconds(self.epoch)

    @cached_property
    def duration(self) -> int:
        """How much time one list covers, in nanoseconds."""
        return self.seed_period_nanoseconds * math.prod(split.total for split in self.seed_period_key_splits)


class OslConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A checked configuration."""

    schemes: list[Scheme] = []

    def __post_init__(self) -> None:
        epochs = [scheme.start for scheme in self.schemes]
        if epochs != sorted(epochs):
            raise ValueError("the Schemes must be in the order of their Epochs")


NO_SCHEMES: Final = OslConfig()


def read_osl_config(data: bytes, file: str = "OSL configuration") -> OslConfig:
    """Return the configuration in `data`, read from `file`. Raises DocumentError, which repeats no secret."""
    known, _ = fold_deep(read_object(data, file), OslConfig)
    return convert_config(_with_integers(known), OslConfig, file)


def _with_integers(value: object) -> object:
    """Return `value` with whole numbers as integers: long ones, and nanoseconds are, were read as doubles."""
    if isinstance(value, dict):
        return {name: _with_integers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_split(threshold: int, total: int, needed: str, all_: str) -> None:
    if not 1 <= threshold <= total <= MAX_SHARES:
        raise ValueError(
            f"the {needed} is {threshold}, the {all_} {total}: write 1 <= {needed} <= {all_} <= {MAX_SHARES}"
        )
