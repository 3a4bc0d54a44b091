"""The server's part of a tactics file."""

import json

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.tactics_config import ServerTactics, read_tactics_config
from headrace.obfuscation.default_prefix import DEFAULT_SPEC, SERVER_SPECS, default_server_prefixes
from headrace.obfuscation.prefix import PrefixSpecs


def read(parameters: object, probability: float = 1.0) -> PrefixSpecs:
    tactics = {"TTL": "60s", "Probability": probability, "Parameters": parameters}
    return read_tactics_config(json.dumps({"DefaultTactics": tactics}).encode(), "tactics.config").prefixes


PARAMETERS: dict[str, object] = {
    "ServerOSSHPrefixSpecs": {"HTTP": [["", "HTTP/1\\.1 200 OK\\r\\n"]]},
    "OSSHPrefixSplitMinDelay": "5ms",
    "OSSHPrefixSplitMaxDelay": "0.02s",
    "SomethingElse": True,
}


def test_prefixes_come_beside_ours() -> None:
    prefixes = read(PARAMETERS)
    assert prefixes.patterns.keys() == {"HTTP", *SERVER_SPECS}
    assert prefixes.generate("HTTP", SeededRng(1)) == b"HTTP/1.1 200 OK\r\n"
    assert prefixes.split_delay == (0.005, 0.02)


def test_ours_can_be_replaced() -> None:
    prefixes = read({"ServerOSSHPrefixSpecs": {DEFAULT_SPEC: [["", "other"]]}})
    assert prefixes.generate(DEFAULT_SPEC, SeededRng(1)) == b"other"
    assert prefixes.split_delay == default_server_prefixes().split_delay


def test_no_prefixes_but_ours() -> None:
    assert read(PARAMETERS, probability=0) == read(None) == read({}) == default_server_prefixes()
    assert read_tactics_config(b'{"DefaultTactics":null}') == ServerTactics()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ServerOSSHPrefixSpecs": {"a": []}}, "ServerOSSHPrefixSpecs: spec a has 0 pairs"),
        ({"ServerOSSHPrefixSpecs": []}, "ServerOSSHPrefixSpecs: expected an object"),
        ({"OSSHPrefixSplitMinDelay": "5"}, "OSSHPrefixSplitMinDelay: '5' is no duration"),
        ({"OSSHPrefixSplitMaxDelay": "1ms"}, "OSSHPrefixSplitMaxDelay: is below the minimum"),
    ],
)
def test_mistakes_name_file_and_field(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=r"^tactics.config: DefaultTactics.Parameters\." + problem):
        read(PARAMETERS | change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"ServerOSSHPrefixSpecs": {"a": [["", "a**"]]}},
            "prefix spec 'a': regular expression, at character 2",
        ),
        ({"OSSHPrefixSplitMaxDelay": "11s"}, "prefix split delays must"),
    ],
)
def test_prefixes_that_cannot_be_used(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=f"^tactics.config: DefaultTactics.Parameters: {problem}"):
        read(PARAMETERS | change)
