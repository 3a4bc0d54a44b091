"""`headrace entries show`, `decode` and `encode`."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.running import KEY, entry, fields, run, signed

from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import decode_fields, derived_tag, encode_fields
from headrace.documents.entry_signature import sign_entry

PUBLIC = KEY.public.to_text()


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    path = tmp_path / "servers.list"
    path.write_text(f"{signed(1)}\r\n\n{entry(2, capabilities=['SSH', 'VPN'], configurationVersion=7)}\n")
    return path


# ---- where entries come from


def test_a_line_a_file_and_standard_input(servers: Path) -> None:
    outcome = run("entries", "decode", "--json", entry(9), servers, "-", input=entry(8))
    addresses = [json.loads(line)["ipAddress"] for line in outcome.lines]
    assert addresses == ["192.0.2.9", "192.0.2.1", "192.0.2.2", "192.0.2.8"]
    assert outcome.code == 0


def test_a_file_whose_name_is_hexadecimal(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(servers.parent)
    servers.rename("cafe")
    assert len(run("entries", "decode", "--json", "cafe").lines) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no entries in it"),
        (b"\n \n", "no entries in it"),
        (b"\x78\x9c\x00", "headrace lists verify --output"),
        (b'{"ipAddress": ""}', "headrace entries encode"),
        (b"00" * (1 << 20), "longer than any entry"),
    ],
    ids=["empty", "blank", "package", "json", "endless"],
)
def test_files_that_are_no_list(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    outcome = run("entries", "decode", tmp_path / "file")
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.complaint
    assert str(tmp_path / "file") in outcome.complaint


@pytest.mark.parametrize("command", ["show", "decode", "encode"])
def test_nothing_to_read(command: str) -> None:
    assert 'or "-" for standard input' in run("entries", command).complaint


@pytest.mark.parametrize("command", ["show", "decode"])
def test_bad_lines_are_told_and_the_others_shown(command: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{entry(1)}\nzz\n{entry(3)[:-1]}\n{entry(4)}\n")
    outcome = run("entries", command, "--json", tmp_path / "list")
    assert outcome.code == 1
    assert [json.loads(line)["ipAddress"] for line in outcome.lines] == ["192.0.2.1", "192.0.2.4"]
    second, third = outcome.err.splitlines()
    assert second == f"headrace: {tmp_path}/list:2: server entry line is not hexadecimal at character 1"
    assert f"{tmp_path}/list:3: server entry line is cut short" in third


# ---- show


def test_a_table_names_everything_but_the_secrets(servers: Path) -> None:
    outcome = run("entries", "show", servers)
    head, first, *_ = outcome.lines
    assert head.split() == "tag address region protocols other capabilities version signature".split()
    tag = derived_tag(fields(1))[:8]
    assert first.split() == [tag, "192.0.2.1", "CH", "SSH", "22", "ssh-api-requests", "1", "not", "checked"]
    for text in ("OSSH 443", "192.0.2.2", "VPN", " 7 ", "none"):
        assert text in outcome.out
    for secret in ("5ec7e7", "a55a", "0101"):
        assert secret not in outcome.out


def test_signatures_are_checked_with_a_key(servers: Path) -> None:
    for key, told in ((PUBLIC, "good"), (SigningKey(bytes(32)).public.to_text(), "signed with another key")):
        assert told in run("entries", "show", servers, "--public-key", key).out


def test_a_single_entry_is_shown_with_all_its_fields() -> None:
    outcome = run("entries", "show", entry(1, new={"a": [1]}, meekFrontingDisableSNI=True))
    for text in ('{"a": [1]}', "true", "ssh-api-requests, OSSH, SSH", "192.0.2.1", "sshObfuscatedPort 443"):
        assert text in " ".join(outcome.out.split())
    for name in ("sshObfuscatedKey", "sshPassword", "webServerSecret"):
        (line,) = (line for line in outcome.lines if line.startswith(name))
        assert line.split() == [name, "hidden"]


def test_public_keys_are_no_secrets() -> None:
    more = {
        "sshHostKey": "AAAAB3",
        "meekCookieEncryptionPublicKey": "Q29va2ll",
        "SshShadowsocksKey": "c2hhZG93",
    }
    outcome = run("entries", "show", entry(1, **more))
    assert "AAAAB3" in outcome.out
    assert "Q29va2ll" in outcome.out
    assert "c2hhZG93" not in outcome.out


def test_secrets_are_shown_when_asked_for(servers: Path) -> None:
    assert run("entries", "show", servers, "--secrets").out.count("5ec7e7" * 10) == 2
    detailed = run("entries", "show", servers, "--details").out
    assert detailed.count("hidden") == 6
    assert "5ec7e7" not in detailed


def test_json_for_programs(servers: Path) -> None:
    first, second = map(json.loads, run("entries", "show", servers, "--json", "--public-key", PUBLIC).lines)
    assert first == {
        "line": f"{servers}:1",
        "tag": derived_tag(fields(1)),
        "ipAddress": "192.0.2.1",
        "region": "CH",
        "protocols": {"SSH": 22, "OSSH": 443},
        "otherCapabilities": ["ssh-api-requests"],
        "configurationVersion": 1,
        "localSource": "",
        "signature": "good",
        "problems": [],
    }
    assert second["otherCapabilities"] == ["VPN"]
    assert second["line"] == f"{servers}:3"
    secret = run("entries", "show", servers, "--json", "--secrets").lines[0]
    assert json.loads(secret)["fields"] == decode_fields(signed(1))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"ipAddress": "home"}, "not an IP address"),
        ({"ipAddress": 5}, "not an IP address"),
        ({"sshPort": "22"}, "write it without quotes"),
        ({"sshObfuscatedPort": 0}, "no port for OSSH"),
        ({"capabilities": ["VPN"]}, "no capability of a tunnel protocol"),
        ({"capabilities": "OSSH"}, "capabilities"),
    ],
    ids=str,
)
def test_what_is_wrong_with_an_entry_is_said(more: dict[str, object], problem: str, servers: Path) -> None:
    outcome = run("entries", "show", servers, entry(3, **more))
    assert outcome.code == 0
    assert problem in " ".join(outcome.out.split())
    assert "problems" in outcome.lines[0]


def test_entries_cannot_move_the_cursor(servers: Path) -> None:
    evil = entry(3, region="\x1b[2J[red]A", tag="\x1b]0;owned\x07")
    for sources in ([evil], [evil, str(servers)]):
        outcome = run("entries", "show", *sources)
        assert "\x1b" not in outcome.out
        assert "[red]A" in outcome.out


# ---- decode and encode


def test_decoding_keeps_every_field() -> None:
    line = entry(1, unknown={"deep": [None, 1.5]}, TlsOSSHPort=444)
    decoded = run("entries", "decode", line)
    assert json.loads(decoded.out) == decode_fields(line)
    assert len(decoded.lines) > 10


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_decoding_and_encoding_are_inverse(options: list[str], servers: Path) -> None:
    decoded = run("entries", "decode", servers, *options)
    assert run("entries", "encode", "-", input=decoded.out).lines == servers.read_text().split()


def test_encoding_a_list_of_objects_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text(json.dumps([fields(1), fields(2)]))
    outcome = run("entries", "encode", tmp_path / "objects", "--output", tmp_path / "out")
    assert (outcome.code, outcome.out) == (0, "")
    assert (tmp_path / "out").read_text() == f"{encode_fields(fields(1))}\n{encode_fields(fields(2))}\n"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no JSON object"),
        ("{", "line 1 column 2"),
        ('{"a": 1} x', "line 1 column 10"),
        ("5", "no object"),
        ("[5]", "no object"),
        ("[" * 100_000, "not JSON that can be read"),
        (f'{{"a": {"1" * 5000}}}', "number out of range"),
    ],
    ids=["empty", "cut", "trailing", "number", "numbers", "deep", "long number"],
)
def test_encoding_what_is_no_object(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "objects").write_text(content)
    outcome = run("entries", "encode", tmp_path / "objects", "--output", tmp_path / "out")
    assert outcome.code == 2
    assert told in outcome.complaint
    assert str(tmp_path / "objects") in outcome.complaint
    assert [path.name for path in tmp_path.iterdir()] == ["objects"]


def test_a_revocation_at_the_keyboard(servers: Path) -> None:
    """Decode, take a capability away, encode, sign: what the documentation shows."""
    changed = json.loads(run("entries", "decode", servers, "--json").lines[0])
    changed["capabilities"].remove("OSSH")
    changed["configurationVersion"] += 1
    line = run("entries", "encode", "-", input=json.dumps(changed)).out.strip()
    assert "was changed" in run("entries", "show", line, "--public-key", PUBLIC).out
    again = encode_fields(sign_entry(decode_fields(line), KEY))
    assert "signature: good" in run("entries", "show", again, "--public-key", PUBLIC).out
