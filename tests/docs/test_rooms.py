"""docs/how-it-works.md lists the rooms there are, and the larger rooms what is in them."""

import ast
import re
from fnmatch import fnmatch

import pytest
from tests.docs.documents import ROOT, blocks

#: Rooms whose `__init__` has a map.
MAPPED = (
    *("client", "codec", "crypto", "desktop", "documents", "embed"),
    *("establishment", "net", "obfuscation", "resist", "server", "server/load", "server/stats", "ssh"),
    "testing",
)


def test_every_room_is_on_the_map() -> None:
    (drawn,) = (block.text for block in blocks("text") if block.text.startswith("src/headrace/\n"))
    listed = re.findall(r"^  (\w+)/ +\S", drawn, re.MULTILINE)
    rooms = [path.parent.name for path in (ROOT / "src" / "headrace").glob("*/__init__.py")]
    assert sorted(listed) == sorted(rooms)


@pytest.mark.parametrize("room", MAPPED)
def test_a_rooms_own_map_names_every_module(room: str) -> None:
    place = ROOT / "src" / "headrace" / room
    named = re.findall(r"[\w*]+", ast.get_docstring(ast.parse((place / "__init__.py").read_text())) or "")
    modules = [path.stem for path in place.glob("*.py") if path.stem != "__init__"]
    assert [module for module in modules if not any(fnmatch(module, name) for name in named)] == []
