"""Files of older programs: moved once, and never over what is there."""

import io
import json
import stat
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.data_directory import DataDirectory
from headrace.client.migration import MARKER, migrate
from headrace.client.notices import NoticeOptions, Notices
from headrace.documents.client_config import read_client_config

OSL = "osl-" + "0123abcd" * 8


class Place:
    """An older program's files, and a data directory."""

    def __init__(self, root: Path) -> None:
        self.old = root / "old"
        self.old.mkdir()
        (root / "new").mkdir()
        self.directory = DataDirectory(root / "new")
        self.directory.make()
        self.fields = {
            "DataStoreDirectory": str(self.old),
            "RemoteServerListDownloadFilename": str(self.old / "the_list"),
            "ObfuscatedServerListDownloadDirectory": str(self.old / "osl"),
            "MigrateUpgradeDownloadFilename": str(self.old / "newer.apk"),
        }

    def put(self, *names: str) -> None:
        for name in names:
            path = self.old / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"what is in {name}")

    def migrate(self) -> list[str]:
        """Migrate; return what was told."""
        stream = io.StringIO()
        network = {"PropagationChannelId": "F", "SponsorId": "F"}
        config = read_client_config(json.dumps(network | self.fields).encode())
        notices = Notices(stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        migrate(config, self.directory, notices)
        return [json.loads(line)["data"]["message"] for line in stream.getvalue().splitlines()]

    def there(self) -> set[str]:
        root = self.directory.path
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_everything_has_its_place(place: Place) -> None:
    place.put("the_list", "the_list.part", "the_list.part.etag", "newer.apk.part")
    place.put(f"osl/{OSL}", f"osl/{OSL}.part.etag", "osl/osl-registry", "osl/osl-registry.cached")
    place.put("psiphon.boltdb", "osl/notes", "osl/osl-", "others")
    told = place.migrate()
    assert place.there() == {
        "remote_server_list",
        "remote_server_list.part",
        "remote_server_list.part.etag",
        "upgrade.part",
        f"osl/{OSL}",
        f"osl/{OSL}.part.etag",
        "osl/osl-registry",
        "osl/osl-registry.cached",
        MARKER,
    }
    assert place.directory.remote_server_list.read_text() == "what is in the_list"
    left = {path.name for path in place.old.rglob("*") if path.is_file()}
    assert left == {"psiphon.boltdb", "notes", "osl-", "others"}
    assert told[-1] == "8 files of an older program were moved to the data directory"


def test_it_is_done_once(place: Place) -> None:
    place.put("the_list")
    place.migrate()
    place.directory.remote_server_list.unlink()
    place.put("the_list")
    assert place.migrate() == []
    assert place.there() == {MARKER}


def test_without_such_fields_nothing_is_done(place: Place) -> None:
    place.fields = {}
    place.put("the_list")
    assert place.migrate() == []
    assert place.there() == set()


def test_what_is_there_stays(place: Place) -> None:
    place.put("the_list")
    place.directory.remote_server_list.write_text("newer")
    place.migrate()
    assert place.directory.remote_server_list.read_text() == "newer"
    assert (place.old / "the_list").exists()


def test_links_and_directories_are_left_alone(place: Place) -> None:
    (place.old / "the_list").symlink_to("/etc/passwd")
    (place.old / "newer.apk").mkdir()
    place.migrate()
    assert place.there() == {MARKER}


def test_nothing_is_there(place: Place) -> None:
    place.old.rmdir()
    assert place.migrate()[-1].startswith("0 files")


def test_from_another_file_system(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    place.put("the_list")
    monkeypatch.setattr(Path, "rename", no)
    place.migrate()
    assert place.there() == {"remote_server_list", MARKER}
    assert not (place.old / "the_list").exists()
    assert stat.S_IMODE(place.directory.remote_server_list.stat().st_mode) == 0o600


def test_failures_are_told_and_do_no_harm(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> None:
        raise OSError(28, "No space left on device")

    place.put("the_list", "osl/osl-registry")
    monkeypatch.setattr(Path, "rename", no)
    monkeypatch.setattr("shutil.copyfile", no)
    told = place.migrate()
    assert "the_list of an older program could not be moved: No space left on device" in told
    assert (place.old / "the_list").exists()
    assert place.there() == {MARKER}


def test_a_marker_that_cannot_be_written_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", no)
    assert place.migrate()[-1] == f"{MARKER} could not be written: Read-only file system"
