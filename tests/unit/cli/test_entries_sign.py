"""`headrace entries sign`, `verify` and `keygen`."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.running import KEY, entry, run, signed

from headrace.crypto.signing import SigningKey, VerifyingKey
from headrace.documents.entry_fields import decode_fields
from headrace.documents.entry_signature import verify_entry

OTHER = SigningKey(bytes(32))
PUBLIC = KEY.public.to_text()


@pytest.fixture(autouse=True)
def _no_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNER_PRIVATE_KEY", "SIGNER_PUBLIC_KEY", "SIGNER_SERVER_ENTRY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY.to_text() + "\n")
    return path


# ---- sign


def test_signing_a_list(key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{entry(1)}\n{signed(2, configurationVersion=3)}\n")
    outcome = run("entries", "sign", tmp_path / "list", "--private-key", key_file)
    assert outcome.lines == [signed(1), signed(2, configurationVersion=3)]


def test_a_signature_of_another_is_replaced(key_file: Path) -> None:
    line = run("entries", "sign", entry(1, signature="b3RoZXI="), "--private-key", key_file).out.strip()
    verify_entry(decode_fields(line), KEY.public)


def test_signing_into_a_private_file(key_file: Path, tmp_path: Path) -> None:
    outcome = run("entries", "sign", entry(1), "--private-key", key_file, "--output", tmp_path / "out")
    assert (outcome.code, outcome.out) == (0, "")
    assert (tmp_path / "out").read_text() == signed(1) + "\n"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_signing_for_programs(key_file: Path) -> None:
    told = json.loads(run("entries", "sign", entry(1), "--private-key", key_file, "--json").out)
    assert told["entry"] == signed(1)
    assert (told["ipAddress"], told["line"]) == ("192.0.2.1", "the entry")


def test_the_environment_of_the_deployed_signer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNER_PRIVATE_KEY", KEY.to_text())
    monkeypatch.setenv("SIGNER_PUBLIC_KEY", PUBLIC)
    monkeypatch.setenv("SIGNER_SERVER_ENTRY", entry(1))
    assert run("entries", "sign").lines == [signed(1)]
    monkeypatch.setenv("SIGNER_PUBLIC_KEY", OTHER.public.to_text())
    assert "does not belong to" in run("entries", "sign").complaint


def test_a_key_in_a_file_wins_over_the_environment(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNER_PRIVATE_KEY", OTHER.to_text())
    monkeypatch.setenv("SIGNER_PUBLIC_KEY", OTHER.public.to_text())
    assert run("entries", "sign", entry(1), "--private-key", key_file).lines == [signed(1)]


@pytest.mark.parametrize("bad", ["zz", entry(2, ipAddress="home"), entry(2)[:-2]], ids=["hex", "home", "cut"])
def test_either_all_entries_are_signed_or_none(bad: str, key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{entry(1)}\n{bad}\n")
    (tmp_path / "out").write_text("before")
    for output in ("-", str(tmp_path / "out")):
        outcome = run("entries", "sign", tmp_path / "list", "--private-key", key_file, "--output", output)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"{tmp_path}/list:2: " in outcome.complaint
    assert (tmp_path / "out").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "list", "out"]


@pytest.mark.parametrize("text", ["", "nonsense", PUBLIC, KEY.to_text()[:-8], "A" * 88])
def test_a_private_key_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(text)
    outcome = run("entries", "sign", entry(1), "--private-key", tmp_path / "key")
    assert outcome.code == 2
    assert "key" in outcome.complaint
    assert not text or text not in outcome.complaint


def test_no_private_key_at_all() -> None:
    assert "--private-key" in run("entries", "sign", entry(1)).complaint


# ---- verify


def test_verifying_says_why_for_each_line(tmp_path: Path) -> None:
    changed = decode_fields(signed(3))
    changed["region"] = "DE"
    (tmp_path / "list").write_text(
        "\n".join([signed(1), entry(2), json_line(changed), "zz", signed(4, signature="AAAA")])
    )
    outcome = run("entries", "verify", tmp_path / "list", "--public-key", PUBLIC)
    assert outcome.code == 1
    assert outcome.err == "2 good, 3 bad\n"
    assert [line.removeprefix(f"{tmp_path}/list:") for line in outcome.lines] == [
        f"1: {tag(1)} good",
        f"2: {tag(2)} server entry is not signed",
        f"3: {tag(3)} server entry was changed after it was signed",
        "4: server entry line is not hexadecimal at character 1",
        f"5: {tag(4)} good",
    ]


def json_line(fields: dict[str, object]) -> str:
    return run("entries", "encode", "-", input=json.dumps(fields)).out.strip()


def tag(number: int) -> str:
    return str(json.loads(run("entries", "show", "--json", entry(number)).out)["tag"])[:8]


def test_verifying_for_programs() -> None:
    outcome = run("entries", "verify", signed(1), entry(2), "00", "--public-key", PUBLIC, "--json")
    good, unsigned, undecodable = map(json.loads, outcome.lines)
    assert (good["ipAddress"], good["good"], good["problem"]) == ("192.0.2.1", True, "")
    assert (unsigned["good"], unsigned["problem"]) == (False, "server entry is not signed")
    assert undecodable == {
        "line": "entry 3",
        "good": False,
        "problem": "server entry has 1 of 5 parts; the line may be cut short",
    }
    assert outcome.err == ""


def test_an_entry_cannot_move_the_cursor() -> None:
    outcome = run("entries", "verify", entry(1, tag="\rgood\x07 1"), "--public-key", PUBLIC)
    assert outcome.out == "the entry: \ufffdgood\ufffd 1 server entry is not signed\n"


@pytest.mark.parametrize("way", ["text", "file", "config", "config in other letters"])
def test_a_public_key_is_found_where_people_have_it(way: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(
        {
            "file": f"{PUBLIC}\n",
            "config": json.dumps({"ServerEntrySignaturePublicKey": PUBLIC, "SponsorId": "1"}),
            "config in other letters": json.dumps({"serverentrysignaturepublickey": PUBLIC}),
        }.get(way, "")
    )
    name = PUBLIC if way == "text" else path
    outcome = run("entries", "verify", signed(1), "--public-key", name)
    assert (outcome.code, outcome.out) == (0, f"the entry: {tag(1)} good\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "has no ServerEntrySignaturePublicKey"),
        ("{", "not JSON"),
        ("AAAA", "32 bytes"),
        ("", "32 bytes"),
        ('{"ServerEntrySignaturePublicKey": 5}', "has no"),
    ],
)
def test_a_public_key_that_is_none(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(content)
    outcome = run("entries", "verify", signed(1), "--public-key", tmp_path / "key")
    assert outcome.code == 2
    assert told in outcome.complaint


# ---- keygen


def test_a_new_pair_signs_and_verifies(tmp_path: Path) -> None:
    outcome = run("entries", "keygen", "--output", tmp_path / "new")
    assert outcome.code == 0
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").read_text().strip() not in outcome.out
    public = (tmp_path / "new.pub").read_text().strip()
    assert public in outcome.out
    line = run("entries", "sign", entry(1), "--private-key", tmp_path / "new").out.strip()
    verify_entry(decode_fields(line), VerifyingKey.from_text(public))


@pytest.mark.parametrize("there", ["new", "new.pub"])
def test_a_key_is_never_replaced_unasked(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("before")
    outcome = run("entries", "keygen", "--output", tmp_path / "new")
    assert outcome.code == 2
    assert "--force" in outcome.complaint
    assert (tmp_path / there).read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == [there]
    (tmp_path / there).chmod(0o644)
    assert run("entries", "keygen", "--output", tmp_path / "new", "--force").code == 0
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_keys_for_programs(tmp_path: Path) -> None:
    told = json.loads(run("entries", "keygen", "--output", tmp_path / "new", "--json").out)
    assert told == {
        "publicKey": (tmp_path / "new.pub").read_text().strip(),
        "privateKeyFile": str(tmp_path / "new"),
        "publicKeyFile": str(tmp_path / "new.pub"),
    }


def test_a_key_on_standard_output() -> None:
    outcome = run("entries", "keygen", "--output", "-")
    assert SigningKey.from_text(outcome.out.strip()).public.to_text() in outcome.err
