"""An OSL configuration: any file gives schemes that can seed and pave, or a DocumentError that names it."""

import ipaddress
import json

from headrace.base.errors import DocumentError
from headrace.documents.osl.config import read_osl_config
from headrace.documents.osl.paver import current_osl_id
from headrace.documents.osl.seeding import SeedState, applicable

_SPEC = {
    "ID": "A" * 43 + "=",
    "UpstreamSubnets": ["8.0.0.0/8", "2000::/3"],
    "UpstreamASNs": ["64500"],
    "Targets": {"BytesRead": 1, "BytesWritten": 1, "PortForwardDurationNanoseconds": 1},
}
_SCHEME = {
    "Epoch": "2024-01-01T00:00:00Z",
    "PropagationChannelIDs": ["X"],
    "MasterKey": "A" * 43 + "=",
    "SeedSpecs": [_SPEC, _SPEC],
    "SeedSpecThreshold": 2,
    "SeedPeriodNanoseconds": 28_800_000_000_000,
    "SeedPeriodKeySplits": [{"Total": 3, "Threshold": 2}],
}
_NOW = 1_750_000_000_000_000_000
_ADDRESS = ipaddress.ip_address("8.8.8.8")

SEEDS = [json.dumps({"Schemes": [_SCHEME]}).encode(), b'{"schemes":[]}']


def fuzz(data: bytes) -> None:
    """`data` is the file."""
    try:
        config = read_osl_config(data, "fuzzed.config")
    except DocumentError as error:
        assert str(error).startswith("fuzzed.config: ")
        return
    state = SeedState(applicable(config, "X", "", _NOW), "X")
    state.add(state.matching(_ADDRESS), 1, 1, 1, _NOW)
    for scheme in config.schemes:
        assert scheme.duration > 0
        current_osl_id(scheme, "X", _NOW)
