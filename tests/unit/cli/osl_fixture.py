"""A small configuration of obfuscated lists: two channels, and a list every two hours for each."""

import base64
import json
from pathlib import Path

from tests.package_keys import KEY

from headrace.documents.osl.config import OslConfig, read_osl_config
from headrace.documents.osl.sloks import derive_slok

__all__ = ["CHANNELS", "EPOCH", "config", "sloks", "write"]

CHANNELS = ("A" * 16, "B" * 16)
EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z
_HOUR = 3_600_000_000_000  # nanoseconds

_JSON = {
    "Schemes": [
        {
            "Epoch": "2026-01-01T00:00:00Z",
            "PropagationChannelIDs": [*CHANNELS],
            "MasterKey": base64.b64encode(bytes(32)).decode(),
            "SeedSpecs": [
                {
                    "ID": base64.b64encode(bytes([number]) * 32).decode(),
                    "UpstreamSubnets": ["0.0.0.0/0"],
                    "Targets": {"BytesRead": 1},
                }
                for number in range(2)
            ],
            "SeedSpecThreshold": 1,
            "SeedPeriodNanoseconds": _HOUR,
            "SeedPeriodKeySplits": [{"Total": 2, "Threshold": 2}],
        }
    ]
}


def config() -> OslConfig:
    return read_osl_config(json.dumps(_JSON).encode())


def write(directory: Path) -> tuple[Path, Path]:
    """Write the configuration and the signing key; return where."""
    config_file, key_file = directory / "osl.json", directory / "list-key"
    config_file.write_text(json.dumps(_JSON))
    key_file.write_text(KEY.to_text())
    return config_file, key_file


def sloks(number: int, channel: str = CHANNELS[0]) -> dict[bytes, bytes]:
    """Return what opens a channel's list of this number: a key of each of its two periods."""
    (scheme,) = config().schemes
    begin = scheme.start + number * scheme.duration
    keys = [
        derive_slok(scheme.master_key, channel, scheme.seed_specs[1].id, begin + period * _HOUR)
        for period in range(2)
    ]
    return dict(keys)
