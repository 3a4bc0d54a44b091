"""Strangers who speak HTTP: as many as are made on every change, and a machine without a web server."""

from pathlib import Path

import pytest
from tests.interop.programs import program

from headrace.resist.front import front_row

VISITS = 100


async def test_visitors_hear_what_the_web_server_says(tmp_path: Path) -> None:
    program("nginx")
    told: list[int] = []
    row = await front_row(tmp_path / "all, of it", VISITS, tell=told.append)
    assert (row.verdict, row.sample, row.hits) == (True, VISITS, 0)
    assert row.control == "without a front: 20 of 20 differ"
    assert row.version.startswith("nginx/")
    assert row.note.endswith(" ms")
    assert told == list(range(1, VISITS + 1))


async def test_without_a_web_server_it_has_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    row = await front_row(tmp_path / "here", VISITS)
    assert (row.ran, row.verdict) == (False, None)
    assert "nginx is not installed" in row.note
