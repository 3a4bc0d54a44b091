"""Whatever is in the files of the kernel, there is a network ID, and it is one of the known types."""

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headrace.net.default_route import default_route
from headrace.net.network_id import TYPES, network_id, type_of

WORDS = st.sampled_from(["eth0", "00000000", "0", "FE0200C0", "0003", "00000080", "0x2", "-1", "\x00", "é"])
LINES = st.lists(st.lists(WORDS | st.text(max_size=9), max_size=12).map(" ".join), max_size=6).map("\n".join)
FILES = st.binary(max_size=300) | LINES.map(lambda text: text.encode("utf-8", "replace"))


@given(FILES, FILES, FILES)
def test_any_files_give_an_id(routes: bytes, routes6: bytes, neighbours: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "proc/net").mkdir(parents=True)
        for name, content in (("route", routes), ("ipv6_route", routes6), ("arp", neighbours)):
            (root / "proc/net" / name).write_bytes(content)
        identity = network_id(default_route(root), bytes(32), root)
    assert type_of(identity) in TYPES
    assert re.fullmatch(r"[A-Z]+(-[0-9a-f]{16})?", identity)
