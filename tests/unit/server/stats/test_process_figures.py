from pathlib import Path

from headrace.server.stats.process_figures import open_files, resident_bytes


def test_this_process() -> None:
    assert resident_bytes() > 5_000_000
    before = open_files()
    with Path(__file__).open("rb"):
        assert open_files() == before + 1


def test_where_nothing_is_told(tmp_path: Path) -> None:
    assert (resident_bytes(tmp_path), open_files(tmp_path)) == (0, 0)
    (tmp_path / "statm").write_text("")
    assert resident_bytes(tmp_path) == 0
