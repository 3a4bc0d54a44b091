from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.obfuscation import ClientPrefix, PrefixSpecs
from headrace.obfuscation.prefix import MAX_PREFIX

CONFIG: dict[str, Any] = {
    "OSSHPrefixSpecs": {"get": [["", "GET /[a-z]{9}"]], "post": [["", "POST /[a-z]{9}"]]},
    "OSSHPrefixScopedSpecNames": {"": ["get", "post"], "80": ["post"], "22": []},
    "OSSHPrefixProbability": 1,
    "OSSHPrefixSplitMinDelayMilliseconds": 5,
    "OSSHPrefixSplitMaxDelayMilliseconds": 20,
    "SomethingElse": [1, 2, 3],
}


def drawn(specs: PrefixSpecs, port: int, times: int = 100) -> list[ClientPrefix | None]:
    rng = SeededRng(port)
    return [specs.draw(port, rng) for _ in range(times)]


def test_draw_follows_the_spec() -> None:
    for prefix in drawn(PrefixSpecs.from_config(CONFIG), 443):
        assert prefix is not None
        assert prefix.data.startswith({"get": b"GET /", "post": b"POST /"}[prefix.name])
        assert 0.005 <= prefix.split_delay <= 0.02


def test_scopes() -> None:
    specs = PrefixSpecs.from_config(CONFIG)
    assert {prefix and prefix.name for prefix in drawn(specs, 443)} == {"get", "post"}
    assert {prefix and prefix.name for prefix in drawn(specs, 80)} == {"post"}
    assert set(drawn(specs, 22)) == {None}, "an empty list of its own means none, not any"


def test_no_scope_for_any_port() -> None:
    specs = PrefixSpecs.from_config(CONFIG | {"OSSHPrefixScopedSpecNames": {"80": ["get"]}})
    assert set(drawn(specs, 443)) == {None}


@pytest.mark.parametrize(("probability", "least", "most"), [(0, 0, 0), (0.25, 15, 35), (1.0, 100, 100)])
def test_probability(probability: float, least: int, most: int) -> None:
    specs = PrefixSpecs.from_config(CONFIG | {"OSSHPrefixProbability": probability})
    assert least <= sum(prefix is not None for prefix in drawn(specs, 443)) <= most


def test_empty_config_draws_nothing() -> None:
    assert PrefixSpecs.from_config({}) == PrefixSpecs()
    assert set(drawn(PrefixSpecs(), 443)) == {None}
    assert PrefixSpecs().generate("get", SeededRng(1)) is None


def test_server_table() -> None:
    config = CONFIG | {"ServerOSSHPrefixSpecs": {"get": [["", "HTTP/1\\.1 200 OK"]]}}
    specs = PrefixSpecs.from_server_config(config)
    assert specs.generate("get", SeededRng(1)) == b"HTTP/1.1 200 OK"
    assert specs.generate("post", SeededRng(1)) is None
    assert 0.005 <= specs.draw_delay(SeededRng(1)) <= 0.02
    assert set(drawn(specs, 443)) == {None}


def test_compile_takes_plain_expressions() -> None:
    specs = PrefixSpecs.compile({"a": "x{3}"}, names_by_port={"": ["a"]}, probability=1, split_delay=(1, 1))
    assert specs.draw(1, SeededRng(1)) == ClientPrefix("a", b"xxx", 1.0)


def test_longest_prefix_allowed() -> None:
    assert MAX_PREFIX == 65_520
    PrefixSpecs.compile({"long": "(a{1000}){65}b{520}"})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"OSSHPrefixSpecs": []}, "OSSHPrefixSpecs: must be an object"),
        ({"OSSHPrefixSpecs": {1: []}}, "OSSHPrefixSpecs: must be an object"),
        ({"OSSHPrefixSpecs": {"x": "GET"}}, r"OSSHPrefixSpecs: 'x' must have the form \[\[\"\", "),
        ({"OSSHPrefixSpecs": {"x": []}}, "must have the form"),
        ({"OSSHPrefixSpecs": {"x": [["", "a"], ["", "b"]]}}, "must have the form"),
        ({"OSSHPrefixSpecs": {"x": [["a", "b"]]}}, "must have the form"),
        ({"OSSHPrefixSpecs": {"x": [["", 1]]}}, "must have the form"),
        ({"OSSHPrefixSpecs": {"x": [["", "a**"]]}}, "prefix spec 'x': regular expression, at character 2"),
        ({"OSSHPrefixSpecs": {"x": [["", "(a{1000}){65}b{521}"]]}}, "can grow beyond 65520 bytes"),
        ({"OSSHPrefixSpecs": {"x": [["", "((){1000}){1000}"]]}}, "can grow beyond"),
        ({"OSSHPrefixSpecs": {"": [["", "a"]]}}, "name must be 1 to 4096 bytes"),
        ({"OSSHPrefixSpecs": {"x" * 4097: [["", "a"]]}}, "name must be"),
        ({"OSSHPrefixSpecs": {"\ud800": [["", "a"]]}}, "name must be"),
        ({"OSSHPrefixScopedSpecNames": ["get"]}, "OSSHPrefixScopedSpecNames: must be an object"),
        ({"OSSHPrefixScopedSpecNames": {"": "get"}}, "needs a list"),
        ({"OSSHPrefixScopedSpecNames": {"": [1]}}, "needs a list"),
        ({"OSSHPrefixScopedSpecNames": {"": ["put"]}}, "no spec is called 'put'"),
        ({"OSSHPrefixScopedSpecNames": {"http": ["get"]}}, "'http' is not a port"),
        ({"OSSHPrefixScopedSpecNames": {"0": ["get"]}}, "is not a port"),
        ({"OSSHPrefixScopedSpecNames": {"65536": ["get"]}}, "is not a port"),
        ({"OSSHPrefixScopedSpecNames": {"1" * 5000: ["get"]}}, "is not a port"),
        ({"OSSHPrefixScopedSpecNames": {"²": ["get"]}}, "is not a port"),
        ({"OSSHPrefixProbability": 1.1}, "from 0 to 1"),
        ({"OSSHPrefixProbability": -0.1}, "from 0 to 1"),
        ({"OSSHPrefixProbability": float("nan")}, "from 0 to 1"),
        ({"OSSHPrefixProbability": True}, "OSSHPrefixProbability: must be a number"),
        ({"OSSHPrefixProbability": "1"}, "OSSHPrefixProbability: must be a number"),
        ({"OSSHPrefixSplitMinDelayMilliseconds": 21}, "split delays must rise"),
        ({"OSSHPrefixSplitMinDelayMilliseconds": -1}, "split delays"),
        ({"OSSHPrefixSplitMaxDelayMilliseconds": 10_001}, "stay within 0 and 10 seconds"),
        ({"OSSHPrefixSplitMaxDelayMilliseconds": None}, "must be a number"),
    ],
)
def test_bad_config(change: dict[str, Any], complaint: str) -> None:
    config = CONFIG | change
    if "OSSHPrefixSpecs" in change:
        del config["OSSHPrefixScopedSpecNames"]
    with pytest.raises(DocumentError, match=complaint):
        PrefixSpecs.from_config(config)
