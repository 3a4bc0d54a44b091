"""Tunnel protocols and their capabilities."""

import json
from pathlib import Path
from typing import Any

from headrace.documents.capabilities import (
    NEVER_USED,
    OFF_BY_DEFAULT,
    TUNNEL_PROTOCOLS,
    capability_name,
    tactics_capability_name,
)

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("capabilities.json").read_text())


def test_protocols() -> None:
    assert list(TUNNEL_PROTOCOLS) == VECTORS["supportedTunnelProtocolsInOrder"]
    assert set(VECTORS["defaultDisabled"]) == OFF_BY_DEFAULT
    assert set(VECTORS["disabled"]) == NEVER_USED


def test_capabilities() -> None:
    for protocol, names in VECTORS["capabilities"].items():
        assert capability_name(protocol) == names["capability"]
        assert tactics_capability_name(protocol) == names["tacticsCapability"]
