"""`headrace lists pave`: files, times, and what is said about them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.package_keys import KEY
from tests.unit.cli import osl_fixture as made
from tests.unit.cli.running import entry, run

from headrace.documents.osl.paver import osl_id
from headrace.documents.osl.paver import pave as pave_channel
from headrace.documents.osl.registry import FileSpec, open_osl, read_registry
from headrace.documents.signed_package import open_package

HOUR = 3600
NOW = made.EPOCH + 5 * HOUR


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        def time(self) -> float:
            return NOW

    monkeypatch.setattr("headrace.cli.lists_pave.SYSTEM_CLOCK", Clock())


@pytest.fixture
def pave(tmp_path: Path) -> Any:
    config, key = made.write(tmp_path)

    def run_it(*arguments: object, payload: object = None) -> Any:
        words = ["lists", "pave", "--config", config, "--private-key", key, *arguments]
        if payload is not None:
            (tmp_path / "payload").write_text(payload if isinstance(payload, str) else json.dumps(payload))
            words += ["--payload", tmp_path / "payload"]
        return run(*words)

    return run_it


def registry(path: Path) -> list[FileSpec]:
    with open(path / "osl-registry", "rb") as file:
        return [*read_registry(open_package(file, KEY.public).chunks())]


def identity(period: int, channel: str = made.CHANNELS[0]) -> str:
    scheme = made.config().schemes[0]
    return osl_id(scheme, channel, scheme.start + period * scheme.duration).hex()


def test_a_directory_for_each_channel(pave: Any, tmp_path: Path) -> None:
    payload = [
        {"ServerEntry": entry(1), "OSLIDs": [identity(1), identity(2).upper()]},
        {"ServerEntry": entry(2), "OSLIDs": [identity(1)]},
        {"ServerEntry": entry(3), "OSLIDs": []},
    ]
    outcome = pave("--output", tmp_path / "out", payload=payload)
    assert outcome.code == 0
    assert outcome.lines == [
        f"{channel}: 4 lists with {words}, and their registry; wrote {tmp_path}/out/{channel}"
        for channel, words in zip(made.CHANNELS, ("3 entries", "0 entries"), strict=True)
    ]
    for channel in made.CHANNELS:
        folder = tmp_path / "out" / channel
        specs = registry(folder)
        # One every two hours from the epoch, five hours ago, until two hours from now.
        assert [spec.id.hex() for spec in specs] == [identity(number, channel) for number in range(4)]
        assert {path.name for path in folder.iterdir()} == {"osl-registry"} | {
            f"osl-{spec.id.hex()}" for spec in specs
        }


@pytest.mark.parametrize(
    ("options", "periods"),
    [
        (["--offset", "2h"], [2, 3]),
        (["--offset", "4h", "--period", "2h"], [1]),
        (["--period", "4h"], [0, 1, 2]),
        (["--offset", "100h"], [0, 1, 2, 3]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_range(options: list[str], periods: list[int], pave: Any, tmp_path: Path) -> None:
    pave("--output", tmp_path / "out", *options)
    specs = registry(tmp_path / "out" / made.CHANNELS[0])
    assert [spec.id.hex() for spec in specs] == [identity(number) for number in periods]


def test_without_an_output_nothing_is_written(pave: Any, tmp_path: Path) -> None:
    before = {*tmp_path.rglob("*")}
    assert "nothing written" in pave().out
    assert {*tmp_path.rglob("*")} == before


def test_ids_that_no_list_has_end_in_failure_after_writing(pave: Any, tmp_path: Path) -> None:
    payload = [{"ServerEntry": entry(1), "OSLIDs": [identity(0), "ab" * 32]}]
    outcome = pave("--output", tmp_path / "out", payload=payload)
    assert outcome.code == 1
    assert f"no list has the ID {'ab' * 32}: left out 1 entry" in outcome.err
    assert len(registry(tmp_path / "out" / made.CHANNELS[0])) == 4


def test_a_channel_without_lists(pave: Any, tmp_path: Path) -> None:
    pave("--output", tmp_path / "out", "--empty-registry", "C" * 16)
    assert [path.name for path in (tmp_path / "out" / ("C" * 16)).iterdir()] == ["osl-registry"]
    assert registry(tmp_path / "out" / ("C" * 16)) == []


def test_sums_and_empty_lists_left_out(pave: Any, tmp_path: Path) -> None:
    payload = [{"ServerEntry": entry(1), "OSLIDs": [identity(1)]}]
    pave("--output", tmp_path / "out", "--omit-md5sums", 0, "--omit-empty", 0, payload=payload)
    (spec,) = registry(tmp_path / "out" / made.CHANNELS[0])
    assert (spec.id.hex(), spec.md5_sum) == (identity(1), None)
    assert registry(tmp_path / "out" / made.CHANNELS[1]) == []


def test_lists_for_programs(pave: Any) -> None:
    payload = [{"ServerEntry": entry(1), "OSLIDs": [identity(1)]}]
    told = [json.loads(line) for line in pave("--json", payload=payload).lines]
    assert len(told) == 8
    assert told[1] == {
        "channel": made.CHANNELS[0],
        "scheme": 0,
        "id": identity(1),
        "start": datetime.fromtimestamp(made.EPOCH + 2 * HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": 2 * HOUR,
        "entries": 1,
    }


def test_the_current_lists(pave: Any) -> None:
    assert pave("--list-scheme", 0).lines == [
        f"{channel} {identity(2, channel)}" for channel in made.CHANNELS
    ]
    first = json.loads(pave("--list-scheme", 0, "--json").lines[0])
    assert first == {"channel": made.CHANNELS[0], "id": identity(2)}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("[{", "not JSON"),
        ({}, '[{"ServerEntry": line'),
        ([{"OSLIDs": []}], "ServerEntry"),
        ([{"ServerEntry": "zz", "OSLIDs": ["ab"]}], "entry 1 of list ab: server entry line is not hex"),
        ([{"ServerEntry": entry(1, ipAddress="x"), "OSLIDs": ["ab"]}], "server entry ipAddress"),
        ([{"ServerEntry": entry(1, region="A" * 40_000), "OSLIDs": ["ab"]}], "longer than the 65,535"),
        ([{"ServerEntry": entry(1, configurationVersion=2**31 - 1), "OSLIDs": ["ab"]}], "above 2147483646"),
        ([{"ServerEntry": entry(1), "OSLIDs": "ab"}], "OSLIDs"),
    ],
)
def test_a_payload_that_is_none(payload: object, told: str, pave: Any, tmp_path: Path) -> None:
    outcome = pave("--output", tmp_path / "out", payload=payload)
    assert outcome.code == 2
    assert told in outcome.complaint
    assert str(tmp_path / "payload") in outcome.complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--offset", "30d"], "2880h"),
        (["--period", "soon"], "--period"),
        (["--omit-empty", 1], "counted from 0"),
        (["--omit-md5sums", -1], "counted from 0"),
        (["--list-scheme", 7], "counted from 0"),
    ],
)
def test_options_that_make_no_sense(options: list[object], told: str, pave: Any) -> None:
    outcome = pave(*options)
    assert outcome.code == 2
    assert told in outcome.complaint


def test_a_key_is_needed(tmp_path: Path) -> None:
    config, _ = made.write(tmp_path)
    assert "--private-key" in run("lists", "pave", "--config", config).complaint


@pytest.mark.parametrize("channel", ["", "..", "a/b"])
def test_a_channel_cannot_lead_out_of_the_directory(channel: str, pave: Any, tmp_path: Path) -> None:
    outcome = pave("--output", tmp_path / "out", "--empty-registry", channel)
    assert outcome.code == 2
    assert "mend the channel" in outcome.complaint


def test_breaking_off_leaves_the_old_set(pave: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out" / made.CHANNELS[0]
    pave("--output", tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken_off(*given: Any, **named: Any) -> Any:
        yield next(pave_channel(*given, **named))
        raise KeyboardInterrupt

    monkeypatch.setattr("headrace.cli.lists_pave.pave_channel", broken_off)
    payload = [{"ServerEntry": entry(1), "OSLIDs": [identity(0)]}]
    assert pave("--output", tmp_path / "out", payload=payload).code == 1  # aborted
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_registry_is_in_its_place_after_its_lists(
    pave: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    pave("--output", tmp_path / "out")
    first, second = moved[: len(moved) // 2], moved[len(moved) // 2 :]
    assert first[-1] == second[-1] == "osl-registry"
    assert moved.count("osl-registry") == 2


def test_a_directory_that_cannot_be_written(pave: Any, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert "cannot be written" in pave("--output", tmp_path / "out").complaint


def test_files_open_for_who_has_the_keys(pave: Any, tmp_path: Path) -> None:
    """The way back, without the command: what was paved opens with the keys of its period."""
    payload = [{"ServerEntry": entry(number), "OSLIDs": [identity(1)]} for number in (2, 1)]
    pave("--output", tmp_path / "out", payload=payload)
    folder = tmp_path / "out" / made.CHANNELS[0]
    spec = registry(folder)[1]
    file_key = spec.file_key(made.sloks(1).get)
    contents = (folder / f"osl-{identity(1)}").read_bytes()
    assert [*open_osl(contents, file_key, KEY.public)] == sorted([entry(1), entry(2)])
