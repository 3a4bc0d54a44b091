"""The file that runs, run by a Python that has nothing installed, as on a user's machine."""

import io
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from headrace.network.bundles import start
from headrace.network.bundles.archive import Base, make_archive

BARE: Final = (getattr(sys, "_base_executable", sys.executable), "-I", "-S")
SAYS_SO: Final = """
import os, sys, headrace
def main():
    print("loaded from", headrace.__file__)
    print("arguments", sys.argv[1:])
    print("bundle", os.environ.get("HEADRACE_BUNDLE"))
"""


def small_base(cli: str = SAYS_SO, **about: str) -> Base:
    """Return a client that has nothing but a command line."""
    real = {
        "version": "9.9",
        "digest": "d" * 64,
        "python": sys.implementation.cache_tag,
        "platform": sysconfig.get_platform(),
        "extensions": start._extensions(),
    }
    with zipfile.ZipFile(data := io.BytesIO(), "w") as archive:
        archive.write(start.__file__, "__main__.py")
        archive.writestr("platform.json", json.dumps(real | about))
        archive.writestr("lib/headrace/__init__.py", "")
        archive.writestr("lib/headrace/cli.py", cli)
    return Base(data.getvalue(), real["digest"])


class Machine:
    """A user's machine: a home directory, and a file that was given to the user."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.home.mkdir()
        self.file = directory / "client.pyz"
        self.variables: dict[str, str] = {}

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "headrace"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"HOME": str(self.home), "PATH": os.defpath, **self.variables}
        return subprocess.run(
            [*BARE, str(self.file), *arguments],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def refusal(self) -> str:
        """Return what it says as it refuses to run."""
        done = self.run()
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a small client, and a bundle in that."""
    machine = Machine(tmp_path)
    machine.file.write_bytes(make_archive(small_base(), b'{"a":1}\n'))
    return machine


def test_the_whole_client_runs_on_a_bare_python(tmp_path: Path, base: Base, bundle_data: bytes) -> None:
    machine = Machine(tmp_path)
    machine.file.write_bytes(make_archive(base, bundle_data))
    version = machine.run("--version")
    assert version.stdout.startswith("headrace, version"), version.stderr
    help_text = machine.run("--help")
    assert "connect" in help_text.stdout
    assert "unpacking" not in help_text.stderr
    assert machine.run("connect", "--help").returncode == 0
    assert "headrace network" not in help_text.stdout


def test_it_unpacks_once_to_the_users_cache_and_runs_from_there(machine: Machine) -> None:
    first, second = machine.run(), machine.run()
    assert "unpacking" in first.stderr
    assert second.stderr == ""
    assert first.stdout == second.stdout
    assert f"loaded from {machine.cache}" in first.stdout
    assert (machine.cache.stat().st_mode & 0o777, [*machine.cache.glob("new-*")]) == (0o700, [])


def test_without_arguments_it_connects_and_otherwise_does_as_told(machine: Machine) -> None:
    assert "arguments ['connect']" in machine.run().stdout
    assert "arguments ['status', '--json']" in machine.run("status", "--json").stdout


def test_the_bundle_is_handed_to_the_client(machine: Machine) -> None:
    line = next(line for line in machine.run().stdout.splitlines() if line.startswith("bundle"))
    path = Path(line.removeprefix("bundle "))
    assert path.read_bytes() == b'{"a":1}\n'
    assert path.stat().st_mode & 0o077 == 0


def test_two_bundles_share_what_is_unpacked(machine: Machine) -> None:
    machine.run()
    machine.file.write_bytes(make_archive(small_base(), b'{"a":2}\n'))
    assert "unpacking" not in machine.run().stderr
    assert len([*machine.cache.iterdir()]) == 1
    assert {path.read_bytes() for path in machine.cache.glob("*/bundle-*")} == {b'{"a":1}\n', b'{"a":2}\n'}


def test_a_bundle_of_the_users_choice_goes_first(machine: Machine) -> None:
    machine.variables["HEADRACE_BUNDLE"] = "/elsewhere.json"
    assert "bundle /elsewhere.json" in machine.run().stdout


def test_without_a_bundle_there_is_none(machine: Machine) -> None:
    machine.file.write_bytes(small_base().data)
    assert "bundle None" in machine.run().stdout


def test_the_cache_is_where_the_user_has_it(machine: Machine, tmp_path: Path) -> None:
    machine.variables["XDG_CACHE_HOME"] = str(tmp_path / "elsewhere")
    assert f"loaded from {tmp_path / 'elsewhere' / 'headrace'}" in machine.run().stdout


def test_what_was_unpacked_in_part_is_unpacked_again(machine: Machine) -> None:
    machine.run()
    (place,) = machine.cache.iterdir()
    (place / ".ready").unlink()
    (place / "lib" / "headrace" / "cli.py").unlink()
    assert "arguments ['connect']" in machine.run().stdout
    assert [*machine.cache.iterdir()] == [place]


def test_what_another_unpacked_meanwhile_is_used_and_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.run()
    (place,) = machine.cache.iterdir()
    (ready := place / ".ready").unlink()
    real = Path.exists

    def exists(path: Path, **options: bool) -> bool:
        if path == place:
            ready.touch()  # just before this one looks
        return real(path, **options)

    monkeypatch.setattr(Path, "exists", exists)
    before = place.stat().st_ino
    with zipfile.ZipFile(machine.file) as archive:
        assert start._unpacked(archive, machine.cache, "d" * 64) == place
    assert (place.stat().st_ino, [*machine.cache.iterdir()]) == (before, [place])


@pytest.mark.parametrize(
    "about", [{"python": "cpython-399"}, {"platform": "plan9-mips"}, {"extensions": ".cpython-311-musl.so"}]
)
def test_elsewhere_it_says_so_and_what_to_do(machine: Machine, about: dict[str, str]) -> None:
    machine.file.write_bytes(small_base(**about).data)
    text = machine.refusal()
    assert "this file was made for" in text
    assert "python3 -m pip install headrace==9.9" in text
    assert "headrace connect LINK" in text
    assert not machine.cache.exists()


def test_another_python_of_the_same_machine_is_named(machine: Machine) -> None:
    machine.file.write_bytes(small_base(python="cpython-399").data)
    assert "Start it with python3.99, if there is one." in machine.refusal()
    machine.file.write_bytes(small_base(python="cpython-399", platform="plan9-mips").data)
    assert "python3.99" not in machine.refusal()


def test_libraries_that_do_not_load_are_no_traceback(machine: Machine) -> None:
    machine.file.write_bytes(small_base("raise ImportError('libc is too old')").data)
    text = machine.refusal()
    assert "this machine cannot load what the file has: libc is too old" in text
    assert "pip install" in text


def test_a_file_that_was_damaged_on_its_way_is_told(machine: Machine) -> None:
    data = bytearray(machine.file.read_bytes())
    data[data.index(b'print("arguments"')] ^= 1
    machine.file.write_bytes(data)
    assert "client.pyz is damaged; get it once more" in machine.refusal()
    assert [*machine.cache.iterdir()] == []


@pytest.mark.parametrize(
    "prepare",
    [
        lambda cache: cache.chmod(0o777),
        lambda cache: (cache.rmdir(), cache.touch())[0],
    ],
    ids=["others can write there", "not a directory"],
)
def test_a_cache_that_is_not_the_users_own_is_refused(
    machine: Machine, prepare: Callable[[Path], None]
) -> None:
    machine.cache.mkdir(parents=True)
    prepare(machine.cache)
    assert str(machine.cache) in machine.refusal()


def test_an_old_python_is_told_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match="2"):
        start.main()
    assert "this needs Python 3.11 or newer" in capsys.readouterr().err


def test_without_a_home_directory_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SystemExit):
        start._cache()
    assert "set XDG_CACHE_HOME" in capsys.readouterr().err


def test_a_full_disk_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.home / ".cache"))
    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    monkeypatch.setattr(sys, "argv", [str(machine.file)])
    with pytest.raises(SystemExit):
        start.main()
    assert "No space left on device; make room there" in capsys.readouterr().err
    assert [*machine.cache.iterdir()] == []
