"""Configurations of obfuscated lists, made to measure."""

import base64
import json
from typing import Any, Final

from headrace.documents.osl.config import OslConfig, read_osl_config

__all__ = [
    "CHANNEL",
    "HOUR",
    "MASTER_KEY",
    "SECOND",
    "SPEC_IDS",
    "config_bytes",
    "osl_config",
    "scheme",
    "spec",
]

CHANNEL: Final = "F" * 16
MASTER_KEY: Final = bytes(range(32))
SPEC_IDS: Final = [bytes([number]) * 32 for number in range(1, 9)]
SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND


def spec(
    number: int = 0, subnet: str = "0.0.0.0/0", *, down: int = 0, up: int = 0, **changes: Any
) -> dict[str, Any]:
    """Return a seed spec: so many bytes down and up with this subnet."""
    return {
        "Description": f"number {number}",
        "ID": base64.b64encode(SPEC_IDS[number]).decode(),
        "UpstreamSubnets": [subnet],
        "UpstreamASNs": [],
        "Targets": {"BytesRead": down, "BytesWritten": up, "PortForwardDurationNanoseconds": 0},
        **changes,
    }


def scheme(*specs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a scheme since 2024 with a period of an hour, in which any of these specs opens a list."""
    return {
        "Epoch": "2024-01-01T00:00:00Z",
        "PaveDataOSLCount": 1,
        "Regions": [],
        "PropagationChannelIDs": [CHANNEL],
        "MasterKey": base64.b64encode(MASTER_KEY).decode(),
        "SeedSpecs": list(specs) or [spec()],
        "SeedSpecThreshold": 1,
        "SeedPeriodNanoseconds": HOUR,
        "SeedPeriodKeySplits": [{"Total": 1, "Threshold": 1}],
        **changes,
    }


def config_bytes(*schemes: dict[str, Any]) -> bytes:
    """Return the file that has these schemes."""
    return json.dumps({"Schemes": schemes}).encode()


def osl_config(*schemes: dict[str, Any]) -> OslConfig:
    """Return the configuration of these schemes."""
    return read_osl_config(config_bytes(*schemes))
