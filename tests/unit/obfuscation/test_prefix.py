from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.obfuscation import ClientPrefix, PrefixSpecs
from headrace.obfuscation.prefix import MAX_PREFIX

EXPRESSIONS = {"get": "GET /[a-z]{9}", "post": "POST /[a-z]{9}"}
RULES: dict[str, Any] = {
    "names_by_port": {"": ["get", "post"], "80": ["post"], "22": []},
    "probability": 1.0,
    "split_delay": (0.005, 0.02),
}


def table(**changes: Any) -> PrefixSpecs:
    return PrefixSpecs.compile(EXPRESSIONS, **RULES | changes)


def drawn(specs: PrefixSpecs, port: int, times: int = 100) -> list[ClientPrefix | None]:
    rng = SeededRng(port)
    return [specs.draw(port, rng) for _ in range(times)]


def test_draw_follows_the_spec() -> None:
    for prefix in drawn(table(), 443):
        assert prefix is not None
        assert prefix.data.startswith({"get": b"GET /", "post": b"POST /"}[prefix.name])
        assert 0.005 <= prefix.split_delay <= 0.02


def test_scopes() -> None:
    specs = table()
    assert {prefix and prefix.name for prefix in drawn(specs, 443)} == {"get", "post"}
    assert {prefix and prefix.name for prefix in drawn(specs, 80)} == {"post"}
    assert set(drawn(specs, 22)) == {None}, "an empty list of its own means none, not any"


def test_no_scope_for_any_port() -> None:
    specs = table(names_by_port={"80": ["get"]})
    assert set(drawn(specs, 443)) == {None}


@pytest.mark.parametrize(("probability", "least", "most"), [(0, 0, 0), (0.25, 15, 35), (1.0, 100, 100)])
def test_probability(probability: float, least: int, most: int) -> None:
    specs = table(probability=probability)
    assert least <= sum(prefix is not None for prefix in drawn(specs, 443)) <= most


def test_an_empty_table_draws_nothing() -> None:
    assert PrefixSpecs.compile({}) == PrefixSpecs()
    assert set(drawn(PrefixSpecs(), 443)) == {None}
    assert PrefixSpecs().generate("get", SeededRng(1)) is None


def test_server_table() -> None:
    specs = PrefixSpecs.compile({"get": "HTTP/1\\.1 200 OK"}, split_delay=(0.005, 0.02))
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
    ("expressions", "complaint"),
    [
        ({"x": "a**"}, "prefix spec 'x': regular expression, at character 2"),
        ({"x": "(a{1000}){65}b{521}"}, "can grow beyond 65520 bytes"),
        ({"x": "((){1000}){1000}"}, "can grow beyond"),
        ({"": "a"}, "name must be 1 to 4096 bytes"),
        ({"x" * 4097: "a"}, "name must be"),
        ({"\ud800": "a"}, "name must be"),
    ],
)
def test_specs_that_cannot_be_used(expressions: dict[str, str], complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        PrefixSpecs.compile(expressions)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"names_by_port": {"": ["put"]}}, "no spec is called 'put'"),
        ({"names_by_port": {"http": ["get"]}}, "'http' is not a port"),
        ({"names_by_port": {"0": ["get"]}}, "is not a port"),
        ({"names_by_port": {"65536": ["get"]}}, "is not a port"),
        ({"names_by_port": {"1" * 5000: ["get"]}}, "is not a port"),
        ({"names_by_port": {"²": ["get"]}}, "is not a port"),
        ({"probability": 1.1}, "from 0 to 1"),
        ({"probability": -0.1}, "from 0 to 1"),
        ({"probability": float("nan")}, "from 0 to 1"),
        ({"split_delay": (0.021, 0.02)}, "split delays must rise"),
        ({"split_delay": (-0.001, 0.02)}, "split delays"),
        ({"split_delay": (0.0, 10.001)}, "stay within 0 and 10 seconds"),
    ],
)
def test_rules_that_cannot_be_used(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        table(**change)
