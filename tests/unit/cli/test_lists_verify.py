"""`headrace lists verify`: whose signature, what is in it, what is wrong."""

import base64
import json
import zlib
from pathlib import Path

import pytest
from tests.package_keys import KEY, new_key
from tests.unit.cli import osl_fixture as made
from tests.unit.cli.running import Outcome, entry, run, signed

from headrace.documents.osl.paver import PaveFile, osl_id, pave
from headrace.documents.signed_package import make_package

PUBLIC = KEY.public.to_text()


def verify(tmp_path: Path, data: bytes | str, *options: object, name: str = "file") -> Outcome:
    """Run the command on a file: a package of `data` unless these are bytes."""
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else make_package(data, KEY))
    return run("lists", "verify", path, "--public-key", PUBLIC, *options)


@pytest.fixture
def paved(tmp_path: Path) -> dict[str, PaveFile]:
    """A registry and four lists, the second with an entry; keys that open it are in `sloks`."""
    config = made.config()
    (scheme,) = config.schemes
    second = osl_id(scheme, made.CHANNELS[0], scheme.start + scheme.duration).hex()
    end = scheme.start + 3 * scheme.duration
    files = {
        file.name: file for file in pave(config, made.CHANNELS[0], None, end, {second: [signed(1)]}, KEY)
    }
    for name, file in files.items():
        (tmp_path / name).write_bytes(file.contents)
    write_sloks(tmp_path, made.sloks(1))
    return files


def write_sloks(tmp_path: Path, sloks: dict[bytes, bytes]) -> None:
    listed = [{"ID": text(slok_id), "Key": text(key)} for slok_id, key in sloks.items()]
    (tmp_path / "sloks").write_text(json.dumps({"seed_payload": {"SLOKs": listed}}))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---- the common list


@pytest.mark.parametrize("compress", [True, False])
def test_a_good_list(compress: bool, tmp_path: Path) -> None:
    package = make_package(f"{signed(1)}\n{entry(2)}", KEY, compress=compress)
    outcome = verify(tmp_path, package)
    assert outcome.code == 0
    assert outcome.lines == [
        f"{tmp_path}/file: list of 2 entries, 1 without a signature of their own",
        f"signed with the key whose digest is {KEY.digest}",
    ]


def test_a_list_for_programs(tmp_path: Path) -> None:
    outcome = verify(tmp_path, f"{signed(1)}\n{entry(2, ipAddress='home')}", "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out) == {
        "file": f"{tmp_path}/file",
        "kind": "list",
        "signedBy": KEY.digest,
        "entries": 1,
        "unsigned": 0,
        "problems": ["line 2: server entry ipAddress is not an IP address; clients skip it"],
        "moreProblems": 0,
    }


def test_the_first_problems_are_told_and_the_others_counted(tmp_path: Path) -> None:
    outcome = verify(tmp_path, "\n".join([entry(1), *["zz"] * 12]))
    assert outcome.code == 1
    assert (
        outcome.lines[2]
        == "line 2: server entry line is not hexadecimal at character 1; clients read no further"
    )
    assert outcome.lines[-1] == "and 2 more problems"
    assert len(outcome.lines) == 13


def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    assert "list of 0 entries" in verify(tmp_path, "").out


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (b"nonsense", "not compressed with zlib"),
        (make_package("", KEY)[:-1], "cut short"),
        (make_package("", KEY).replace(b"x", b"y"), "not"),
        (zlib.compress(b"{}"), "not a package"),
        (make_package("", new_key()), "signed with another key"),
        (make_package("41", KEY, compress=False).replace(b'"41"', b'"42"'), "changed after it was signed"),
    ],
    ids=["empty", "other", "cut", "damaged", "json", "key", "changed"],
)
def test_what_is_not_to_be_trusted_is_not_looked_into(data: bytes, told: str, tmp_path: Path) -> None:
    outcome = verify(tmp_path, data, "--output", tmp_path / "out")
    assert (outcome.code, outcome.out) == (1, "")
    assert told in outcome.err
    assert not (tmp_path / "out").exists()
    as_json = verify(tmp_path, data, "--json")
    assert as_json.code == 1
    assert told in json.loads(as_json.out)["problems"][0]


def test_one_of_several_keys(tmp_path: Path) -> None:
    other = new_key().public.to_text()
    assert f"digest is {KEY.digest}" in verify(tmp_path, entry(1), "--public-key", other).out


def test_the_key_in_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(json.dumps({"RemoteServerListSignaturePublicKey": PUBLIC}))
    (tmp_path / "list").write_bytes(make_package(entry(1), KEY))
    assert run("lists", "verify", tmp_path / "list", "--public-key", tmp_path / "config").code == 0
    (tmp_path / "config").write_text(json.dumps({"RemoteServerListSignaturePublicKey": "AAAA"}))
    outcome = run("lists", "verify", tmp_path / "list", "--public-key", tmp_path / "config")
    assert (outcome.code, "public key" in outcome.complaint) == (2, True)


def test_what_was_signed_can_be_had(tmp_path: Path) -> None:
    lines = f"{signed(1)}\n{entry(2)}"
    verify(tmp_path, lines, "--output", tmp_path / "out")
    assert (tmp_path / "out").read_text() == lines + "\n"
    outcome = verify(tmp_path, lines, "--output", "-")
    assert outcome.out == lines + "\n"
    assert "list of 2 entries" in outcome.err
    assert [
        json.loads(line)["ipAddress"]
        for line in run("entries", "show", "-", "--json", input=outcome.out).lines
    ] == [
        "192.0.2.1",
        "192.0.2.2",
    ]


# ---- registries and obfuscated lists


def test_a_registry(paved: dict[str, PaveFile], tmp_path: Path) -> None:
    outcome = run("lists", "verify", tmp_path / "osl-registry", "--public-key", PUBLIC)
    assert outcome.code == 0
    assert outcome.lines[0].endswith("registry of 4 lists, 4 with an MD5 sum, keys split on 2 levels")


def test_what_keys_open(paved: dict[str, PaveFile], tmp_path: Path) -> None:
    path, sloks = tmp_path / "osl-registry", tmp_path / "sloks"
    second = [*paved][1]
    outcome = run("lists", "verify", path, "--public-key", PUBLIC, "--sloks", sloks)
    assert outcome.lines[1:3] == ["the keys open 1 of them", f"  {second}"]
    told = json.loads(run("lists", "verify", path, "--public-key", PUBLIC, "--sloks", sloks, "--json").out)
    assert told["openable"] == [second.removeprefix("osl-")]
    assert (told["kind"], told["lists"], told["depth"], told["withSum"]) == ("registry", 4, 2, 4)


def test_the_json_of_a_registry_can_be_had(paved: dict[str, PaveFile], tmp_path: Path) -> None:
    outcome = run("lists", "verify", tmp_path / "osl-registry", "--public-key", PUBLIC, "--output", "-")
    assert len(json.loads(outcome.out)["FileSpecs"]) == 4


def test_a_registry_that_is_broken(tmp_path: Path) -> None:
    outcome = verify(tmp_path, text(b'{"FileSpecs":[{"ID":"QQ=="}]}'))
    assert outcome.code == 1
    assert "registry that cannot be read to its end" in outcome.out
    assert "server list 1" in outcome.out


@pytest.mark.parametrize("renamed", [False, True])
def test_an_obfuscated_list(renamed: bool, paved: dict[str, PaveFile], tmp_path: Path) -> None:
    name = [*paved][1]
    path = (tmp_path / name).rename(tmp_path / "renamed") if renamed else tmp_path / name
    options = ["--public-key", PUBLIC, "--sloks", tmp_path / "sloks", "--registry", tmp_path / "osl-registry"]
    outcome = run("lists", "verify", path, *options)
    assert outcome.code == 0
    assert outcome.lines[0] == f"{path}: obfuscated list of 1 entry, 0 without a signature of their own"
    assert run("lists", "verify", path, *options, "--output", "-").out == signed(1) + "\n"


def test_an_obfuscated_list_whose_registry_has_no_sums(tmp_path: Path) -> None:
    config, channel = made.config(), made.CHANNELS[0]
    for file in pave(config, channel, None, config.schemes[0].start, {}, KEY, omit_md5=[0]):
        (tmp_path / file.name).write_bytes(file.contents)
    write_sloks(tmp_path, made.sloks(0))
    (path,) = (path for path in tmp_path.iterdir() if path.name not in ("osl-registry", "sloks"))
    options = ["--public-key", PUBLIC, "--sloks", tmp_path / "sloks", "--registry", tmp_path / "osl-registry"]
    assert "obfuscated list of 0 entries" in run("lists", "verify", path, *options).out
    outcome = run("lists", "verify", path.rename(tmp_path / "renamed"), *options)
    assert "does not name" in outcome.complaint


def test_too_few_keys(paved: dict[str, PaveFile], tmp_path: Path) -> None:
    write_sloks(tmp_path, dict([*made.sloks(1).items()][:1]))
    path = tmp_path / [*paved][1]
    options = ["--public-key", PUBLIC, "--sloks", tmp_path / "sloks", "--registry", tmp_path / "osl-registry"]
    outcome = run("lists", "verify", path, *options)
    assert outcome.code == 1
    assert "not enough keys" in outcome.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--registry", "osl-registry"], "--sloks"),
        (["--sloks", "sloks", "--registry", "sloks"], "not a package"),
        (["--sloks", "osl-registry"], "no keys of lists"),
        (["--sloks", "sloks", "--registry", "osl-registry"], "does not name"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together(
    options: list[str],
    told: str,
    paved: dict[str, PaveFile],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other").write_bytes(b"another list")
    outcome = run("lists", "verify", "other", "--public-key", PUBLIC, *options)
    assert outcome.code in (1, 2)
    assert told in outcome.complaint


@pytest.mark.parametrize(
    "content", ["", "5", "{}", '{"SLOKs": [{}]}', '[{"ID": "?", "Key": ""}]', "[5]", "[" * 99_999]
)
def test_keys_that_are_none(content: str, paved: dict[str, PaveFile], tmp_path: Path) -> None:
    (tmp_path / "sloks").write_text(content)
    outcome = run(
        "lists", "verify", tmp_path / "osl-registry", "--public-key", PUBLIC, "--sloks", tmp_path / "sloks"
    )
    assert outcome.code == 2
    assert '{"SLOKs": ' in outcome.complaint


def test_of_a_list_that_breaks_off_only_what_clients_import_is_counted(tmp_path: Path) -> None:
    outcome = verify(tmp_path, "\n".join([entry(1), "zz", entry(2), entry(3, ipAddress="home")]))
    assert "list of 1 entry" in outcome.lines[0]
    ends = [line.rpartition("; ")[2] for line in outcome.lines[2:]]
    assert ends == ["clients read no further", "clients skip it"]


def test_plain_lists_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    blank = make_package(f"{entry(1)}\n\n{entry(2)}\n", KEY, compress=False)
    assert "list of 2 entries" in verify(tmp_path, blank).out
    returns = make_package(f"{entry(1)}\r\n{entry(2)}", KEY, compress=False)
    outcome = verify(tmp_path, returns)
    assert outcome.code == 1
    assert "list of 0 entries" in outcome.lines[0]
    assert outcome.lines[2].startswith("line 1: ")
    assert outcome.lines[2].endswith("; clients take nothing of the list")


def test_what_cannot_be_written_out_is_not(tmp_path: Path) -> None:
    outcome = verify(tmp_path, "eyJ*", "--output", tmp_path / "out")
    assert outcome.code == 1
    assert "registry is not base64" in outcome.complaint
    assert not (tmp_path / "out").exists()
