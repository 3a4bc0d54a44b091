"""What is kept of an attempt that went well, so that it can be made again in exactly the same way.

A record says too under which circumstances it is still good: `config_state` and `entry_state` stand for what
the choices depended on. It is kept as JSON, with bytes in base64.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Self

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.client_config import ClientConfig
from headrace.documents.server_entry import ServerEntry
from headrace.documents.upstream_proxy_url import ProxyURL
from headrace.establishment.dial_parameters import SEED_SIZE, DialParameters
from headrace.establishment.latency import LEAST, MOST
from headrace.obfuscation.preamble import HEAD_SIZE, MAX_NAME_SIZE, MAX_PADDING
from headrace.obfuscation.prefix import MAX_DELAY, MAX_PREFIX, ClientPrefix
from headrace.ssh.liveness import MAX_BYTES, LivenessRequest

__all__ = ["ReplayRecord", "config_state", "entry_state"]

_VERSION: Final = 1
_MAX_SIZE: Final = 128 * 1024  # bytes; the longest prefix takes 88 KB in base64
_IDENTIFICATION: Final = re.compile(r"SSH-2\.0-[\x21-\x7e][\x20-\x7e]{0,200}", re.ASCII)


class ReplayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The choices of an attempt. `last_used` is in seconds since 1970, by a clock that may be wrong."""

    version: int = _VERSION
    protocol: str
    identification: str
    padding: int
    seed: bytes
    prefix: ClientPrefix | None = None
    latency_multiplier: float
    liveness: LivenessRequest | None = None
    config_state: str
    entry_state: str
    last_used: float

    @classmethod
    def of(cls, attempt: DialParameters, config_state: str, now: float) -> Self:
        """Return the record of an attempt that went well `now`."""
        return cls(
            protocol=attempt.protocol,
            identification=attempt.identification,
            padding=attempt.padding,
            seed=attempt.seed,
            prefix=attempt.prefix,
            latency_multiplier=attempt.latency_multiplier,
            liveness=attempt.liveness,
            config_state=config_state,
            entry_state=entry_state(attempt.entry),
            last_used=now,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` returned. Raises DocumentError for anything that is not safe to replay."""
        if len(data) > _MAX_SIZE:
            raise DocumentError(f"replay record of {len(data)} bytes")
        try:
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise DocumentError("replay record that cannot be read") from error
        if not record._sound:
            raise DocumentError("replay record with values that no dial can have")
        return record

    def encode(self) -> bytes:
        """Return the record as it is kept."""
        return msgspec.json.encode(self)

    def apply(self, attempt: DialParameters, *, ignored_change: bool = False) -> DialParameters:
        """Return a fresh attempt over the record's protocol with the record's choices in place of its own."""
        return replace(
            attempt,
            identification=self.identification,
            padding=self.padding,
            seed=self.seed,
            prefix=self.prefix,
            latency_multiplier=self.latency_multiplier,
            liveness=self.liveness,
            is_replay=True,
            replay_ignored_change=ignored_change,
        )

    @property
    def _sound(self) -> bool:
        prefix, liveness = self.prefix, self.liveness
        return (
            self.version == _VERSION
            and _IDENTIFICATION.fullmatch(self.identification) is not None
            and 0 <= self.padding <= MAX_PADDING
            and len(self.seed) == SEED_SIZE
            and LEAST <= self.latency_multiplier <= MOST
            and math.isfinite(self.last_used)
            and (
                prefix is None
                or (
                    0 < len(prefix.name.encode()) <= MAX_NAME_SIZE
                    and HEAD_SIZE * prefix.framed <= len(prefix.data) <= MAX_PREFIX
                    and 0 <= prefix.split_delay <= MAX_DELAY
                )
            )
            and (liveness is None or (0 <= liveness.up <= MAX_BYTES and 0 <= liveness.down <= MAX_BYTES))
        )


def config_state(config: ClientConfig, tactics_tag: str = "") -> str:
    """Return a text that stands for everything in the configuration that influences dials.

    The region is not among it: a dial is the same wherever traffic leaves. Neither are the credentials for an
    upstream proxy, which are nothing to keep a hash of.
    """
    proxy = ProxyURL.parse(config.upstream_proxy_url) if config.upstream_proxy_url else None
    return _digest(
        {
            "tactics": tactics_tag,
            "protocols": config.limit_tunnel_protocols,
            "first protocols": config.initial_limit_tunnel_protocols,
            "first candidates": config.initial_limit_tunnel_protocols_candidate_count,
            "ports": config.limit_tunnel_dial_port_numbers,
            "headers": config.custom_headers,
            "patience": [config.network_latency_multiplier, config.network_latency_multiplier_lambda],
            "liveness": [
                config.liveness_test_min_upstream_bytes,
                config.liveness_test_max_upstream_bytes,
                config.liveness_test_min_downstream_bytes,
                config.liveness_test_max_downstream_bytes,
            ],
            "proxy": [proxy.scheme, proxy.host, proxy.port] if proxy else [],
            "padding": config.padding,
            "prefixes": config.ossh_prefix_specs,
            "prefixes by port": config.ossh_prefix_scoped_spec_names,
            "shipped prefixes": config.shipped_prefixes,
            "prefix probability": config.ossh_prefix_probability,
            "prefix delay": [
                config.ossh_prefix_split_min_delay_milliseconds,
                config.ossh_prefix_split_max_delay_milliseconds,
            ],
        }
    )


def entry_state(entry: ServerEntry) -> str:
    """Return a text that changes when an entry is replaced: of its version and of when it was learned."""
    return _digest({"version": entry.configuration_version, "time": entry.local_timestamp})


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:32]
