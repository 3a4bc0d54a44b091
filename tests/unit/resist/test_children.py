"""Programs that a measurement starts end with it, and so does what they have started."""

from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from headrace.resist import children
from headrace.resist.children import running


async def test_what_a_program_leaves_behind_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_END", 1.0)
    async with running("sh", "-c", "sleep 1000 & echo $!", directory=tmp_path) as child:
        left = int(await child.says(""))
        assert psutil.Process(left).is_running()
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE
