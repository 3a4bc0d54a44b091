"""docs/how-it-works.md lists the rooms there are."""

import re

from tests.docs.documents import ROOT, blocks


def test_every_room_is_on_the_map() -> None:
    (drawn,) = (block.text for block in blocks("text") if block.text.startswith("src/headrace/\n"))
    listed = re.findall(r"^  (\w+)/ +\S", drawn, re.MULTILINE)
    rooms = [path.parent.name for path in (ROOT / "src" / "headrace").glob("*/__init__.py")]
    assert sorted(listed) == sorted(rooms)
