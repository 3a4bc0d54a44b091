"""The server's part of a tactics file."""

import json

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.tactics_config import ServerTactics, read_tactics_config
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


def test_prefixes() -> None:
    expected = PrefixSpecs.compile({"HTTP": "HTTP/1\\.1 200 OK\\r\\n"}, split_delay=(0.005, 0.02))
    assert read(PARAMETERS) == expected


def test_no_prefixes() -> None:
    assert read(PARAMETERS, probability=0) == read(None) == read({}) == PrefixSpecs()
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
