"""On which line of a file something is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.documents.json_lines import find_line

TEXT = r"""{
  "Port": 1,
  "Rules": {
    "Allow": [1,
      2,
      {"name": "a \" } ] ,"}],
    "Nothing": {}
  },
  "List": [
    {"a": 1}, []
    , {"a": {"b": 2,
             "c": 3}}
  ]
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("Port", 2),
        ("rules.ALLOW", 4),
        ("Rules.Allow[0]", 4),
        ("Rules.Allow[1]", 5),
        ("Rules.Allow[2].name", 6),
        ("Rules.Nothing", 7),
        ("List[2].a.c", 12),
        ("List[...].a", 10),
        ("Rules.Missing.deeper", 3),
        ("List[0].missing", 10),
        ("List[9]", 9),
        ("Missing", None),
        ("", None),
    ],
)
def test_lines(path: str, line: int | None) -> None:
    assert find_line(TEXT, path) == line


def leaves(value: object, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, f"{path}.{name}".lstrip("."))]
    if isinstance(value, list) and value:
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, f"{path}[{index}]")]
    return [path]


names = st.text("abcxyz", min_size=1, max_size=4)
documents = st.dictionaries(
    names,
    st.recursive(
        st.integers() | st.text(max_size=9) | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    ),
)


@given(documents)
def test_every_value_is_on_the_line_that_it_is_written_on(document: dict[str, object]) -> None:
    text = json.dumps(document, indent=1)
    found = [find_line(text, path) for path in leaves(document)]
    assert None not in found
    assert found == sorted(found, key=lambda line: line or 0)
    for path, line in zip(leaves(document), found, strict=True):
        last = path.rpartition(".")[2]
        if "[" not in last:
            assert f'"{last}"' in text.splitlines()[(line or 0) - 1]


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_and_any_path(text: str, path: str) -> None:
    line = find_line(text, path)
    assert line is None or 1 <= line <= text.count("\n") + 1
