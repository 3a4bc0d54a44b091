"""The server's part of a tactics file."""

import json

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.tactics_config import ServerPrefixes, read_tactics_config


def read(parameters: object, probability: float = 1.0) -> ServerPrefixes:
    tactics = {"TTL": "60s", "Probability": probability, "Parameters": parameters}
    return read_tactics_config(json.dumps({"DefaultTactics": tactics}).encode(), "tactics.config")


PARAMETERS: dict[str, object] = {
    "ServerOSSHPrefixSpecs": {"HTTP": [["", "HTTP/1\\.1 200 OK\\r\\n"]]},
    "OSSHPrefixSplitMinDelay": "5ms",
    "OSSHPrefixSplitMaxDelay": "0.02s",
    "SomethingElse": True,
}


def test_prefixes() -> None:
    assert read(PARAMETERS) == ServerPrefixes({"HTTP": "HTTP/1\\.1 200 OK\\r\\n"}, 0.005, 0.02)


def test_no_prefixes() -> None:
    assert read(PARAMETERS, probability=0) == read(None) == read({}) == ServerPrefixes()
    assert read_tactics_config(b'{"DefaultTactics":null}') == ServerPrefixes()


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
