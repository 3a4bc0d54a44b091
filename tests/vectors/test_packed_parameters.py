"""The published table of API parameter keys, and one packed example."""

import json
from pathlib import Path
from typing import Any

from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.codec.packed_parameters import pack, to_json, unpack

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("packed_parameters.json").read_text())
EXAMPLE: dict[str, Any] = VECTORS["example"]

# A value that survives each conversion.
SAMPLES = {
    "none": "text",
    "int_string": "42",
    "float_string": "1.250000",
    "hex_lower": "00abff",
    "hex_upper": "00ABFF",
    "base64": "AAECAw==",
    "base64_unpadded": "AAECAw",
    "authorizations": [],
    "json_maps": [{"a": "b"}],
    "raw_json": {"a": [1, None]},
}


def test_table() -> None:
    assert [[key, name, how] for key, (name, how) in PARAMETER_KEYS.items()] == VECTORS["api_parameters"]
    assert len({name for name, _ in PARAMETER_KEYS.values()}) == len(PARAMETER_KEYS) == 185


def test_every_parameter_survives_both_forms() -> None:
    parameters = {name: SAMPLES[how] for name, how in PARAMETER_KEYS.values()}
    assert unpack(pack(parameters)) == parameters
    assert unpack(to_json(parameters)) == parameters


def test_example() -> None:
    payload = bytes.fromhex(EXAMPLE["payload"])
    assert pack(EXAMPLE["parameters"]) == payload
    assert unpack(payload) == EXAMPLE["parameters"]
