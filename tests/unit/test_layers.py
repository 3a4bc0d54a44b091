"""The rooms may import only rooms above them: the order is in the package's docstring and in this table."""

import ast
from pathlib import Path

import headrace

SOURCE = Path(headrace.__file__).parent

#: Rooms by layer. Rooms of one layer may import one another below the fourth, where they may not.
LAYERS = [
    {"base"},
    {"crypto", "codec"},
    {"ssh", "obfuscation", "documents", "discovery", "establishment"},
    {"net", "transports", "store", "desktop"},
    {"client", "server", "network"},
    {"testing"},
    {"demo", "resist"},
    {"embed", "cli"},
]
FIRST_SEPARATE = 4


def layer_of(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        for name in names:
            parts = name.split(".")
            if parts[0] == "headrace" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE)


def test_every_room_has_a_layer_and_says_what_it_is_for() -> None:
    rooms = {path.relative_to(SOURCE).parts[0] for path in modules()}
    assert rooms == set().union(*LAYERS)
    for room in rooms:
        docstring = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text()))
        assert docstring, f"{room}/__init__.py does not say what the room is for"


def test_imports_go_up_only() -> None:
    wrong = []
    for path in modules():
        room = path.relative_to(SOURCE).parts[0]
        here = layer_of(room)
        for other in imported_rooms(path) - {room}:
            there = layer_of(other)
            if there > here or (there == here and here >= FIRST_SEPARATE):
                wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
    assert wrong == []


def test_every_module_has_a_docstring() -> None:
    bare = [
        str(path.relative_to(SOURCE))
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert bare == []
