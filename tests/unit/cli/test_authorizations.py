"""`headrace authorizations`: from a new key to a text that a server believes."""

import json
import stat
from pathlib import Path

import pytest
from tests.unit.cli.running import run

from headrace.documents.server_config import read_server_config
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.peers import host_key


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    assert run("authorizations", "keygen", "speed-boost", "--output", file).code == 0
    return file


@pytest.fixture
def ring(key: Path) -> Path:
    file = key.with_name("ring")
    file.write_text(run("authorizations", "ring", f"{key}.pub").out)
    return file


def test_keys_are_private(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = json.loads(Path(f"{key}.pub").read_text())
    assert set(public) == {"ID", "AccessType", "PublicKey"}
    again = run("authorizations", "keygen", "speed-boost", "--output", key)
    assert again.code == 2 and "--force" in again.complaint
    assert run("authorizations", "keygen", "speed-boost", "--output", key, "--force").code == 0


def test_an_access_type_that_cannot_be(tmp_path: Path) -> None:
    outcome = run("authorizations", "keygen", "a b", "--output", tmp_path / "key")
    assert outcome.code == 2 and "letters" in outcome.complaint
    assert list(tmp_path.iterdir()) == []


def test_what_is_issued_is_verified(key: Path, ring: Path) -> None:
    text = run("authorizations", "issue", "--key", key, "--purchase", "17").out.strip()
    told = json.loads(run("authorizations", "issue", "--key", key, "--purchase", "17", "--json").out)
    good = run("authorizations", "verify", text, told["authorization"], "--ring", ring)
    assert good.code == 0
    assert all("speed-boost until 20" in line and line.endswith(told["id"]) for line in good.lines)
    assert len(good.lines) == 2


def test_without_a_purchase_each_has_an_id_of_its_own(key: Path) -> None:
    ids = {json.loads(run("authorizations", "issue", "--key", key, "--json").out)["id"] for _ in range(3)}
    assert len(ids) == 3


def test_what_does_not_count(key: Path, ring: Path) -> None:
    expired = run("authorizations", "issue", "--key", key, "--days", "-1").out.strip()
    outcome = run("authorizations", "verify", expired, "nonsense", "--ring", ring, "--json")
    assert outcome.code == 1
    assert ["expired" in outcome.lines[0], "no authorization" in outcome.lines[1]] == [True, True]


def test_a_server_has_the_ring_in_its_configuration(key: Path, ring: Path, tmp_path: Path) -> None:
    generate_server(ip="192.0.2.1", protocols={"OSSH": 4001}, host_key=host_key()).write(tmp_path, force=True)
    file = tmp_path / CONFIG_FILE
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "AccessControlVerificationKeyRing": json.loads(ring.read_text())}))
    (only,) = read_server_config(file.read_bytes()).access_control_verification_key_ring.keys
    assert only.access_type == "speed-boost"
    text = run("authorizations", "issue", "--key", key).out.strip()
    assert run("authorizations", "verify", text, "--ring", file).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("ring", "{key}"),  # the secret half
        ("ring", "{here}/nowhere"),
        ("issue", "--key", "{key}.pub"),
        ("issue", "--key", "{key}", "--days", "1e9"),
        ("verify", "x", "--ring", "{key}"),
        ("verify", "x", "--ring", "{here}/garbage"),
    ],
)
def test_files_that_are_not_what_is_wanted(words: tuple[str, ...], key: Path, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_text("[")
    outcome = run("authorizations", *(word.format(key=key, here=tmp_path) for word in words))
    assert outcome.code == 2
    assert outcome.complaint
    assert "PrivateKey" not in outcome.complaint
