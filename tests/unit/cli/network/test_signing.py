"""Keys that are elsewhere: made there, told of here, and signing by files that are carried to and fro."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.package_keys import KEY, new_key
from tests.unit.cli.network.asking import ask, network_command

from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.documents.signed_package import read_package

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with keys and no network; making one takes no time."""
    monkeypatch.setattr(PackageSigningKey, "generate", lambda _bits: new_key())
    monkeypatch.setenv("HEADRACE_KEY_PASSPHRASE", "a passphrase for keys")
    place = tmp_path / "elsewhere"
    place.mkdir()
    return place


def generate(place: Path, purpose: str) -> Path:
    """Make a key there, and return its file."""
    file = place / f"{purpose}.key"
    words = ("key", "generate", purpose, "--network-name", "test-network", "--output", file)
    assert network_command(*words).code == 0
    return file


def use_only(file: Path, purpose: str) -> str:
    """Have the network use the key in this file and no other; return its id."""
    (old,) = [key["key"] for key in ask("key", "list") if key["purpose"] == purpose]
    added: dict[str, Any] = ask("key", "add", purpose, "--public", f"{file}.pub")
    ask("key", "retire", old, "--force")
    return str(added["key"])


def journey(place: Path, key: Path) -> int:
    """Carry one request to the key and its answer back; return how many signatures are new."""
    (request,) = ask("sign-request", place)
    answer = place / "answer.json"
    signed = network_command("sign", request["file"], "--key", key, "--output", answer, "--yes", "--json")
    assert signed.code == 0, signed
    assert json.loads(signed.out)["signed"] == request["items"]
    imported: int = ask("sign-import", request["file"], answer)["imported"]
    return imported


def test_lists_are_published_with_a_key_that_was_never_here(elsewhere: Path, tmp_path: Path) -> None:
    for name in ("public_store", "host_store"):
        ask("setting", "set", name, (tmp_path / name).as_uri())
    file = generate(elsewhere, "list-signing")
    key = use_only(file, "list-signing")
    assert [each["where"] for each in ask("key", "list") if each["key"] == key] == ["elsewhere"]
    assert network_command("publish").code == 4  # lists cannot be made yet, all else is
    assert journey(elsewhere, file) > 0
    assert network_command("sign-request", elsewhere).code == 3  # there is nothing more to sign
    assert network_command("publish").code == 0
    public = Path(f"{file}.pub").read_text().strip()
    assert public != KEY.public.to_text()
    for name in ("server_list", "server_list_compressed"):
        (first, *_) = (tmp_path / "public_store").rglob(name)
        assert verifies(first, public)


def verifies(file: Path, public: str) -> bool:
    """Say whether a published list verifies with a public key."""
    key = PackageVerifyingKey.from_text(public)
    return bool(read_package(file.read_bytes(), key, compressed=file.name.endswith("compressed")))


def test_entries_and_lists_elsewhere_take_two_journeys(elsewhere: Path, tmp_path: Path) -> None:
    for name in ("public_store", "host_store"):
        ask("setting", "set", name, (tmp_path / name).as_uri())
    lists, entries = generate(elsewhere, "list-signing"), generate(elsewhere, "entry-signing")
    use_only(lists, "list-signing")
    use_only(entries, "entry-signing")
    assert journey(elsewhere, entries) == 8
    assert journey(elsewhere, lists) > 0
    assert network_command("publish").code == 0


def test_an_answer_to_something_else_is_refused_whole(elsewhere: Path) -> None:
    file = generate(elsewhere, "list-signing")
    use_only(file, "list-signing")
    (request,) = ask("sign-request", elsewhere)
    answer = elsewhere / "answer.json"
    network_command("sign", request["file"], "--key", file, "--output", answer, "--yes")
    document = json.loads(answer.read_bytes())
    document["items"][0]["signature"] = document["items"][-1]["signature"]
    answer.write_text(json.dumps(document))
    assert len(document["items"]) > 1
    assert network_command("sign-import", request["file"], answer).code == 2
    (again,) = ask("sign-request", elsewhere)
    assert again["items"] == request["items"]


def test_a_key_of_another_network_does_not_sign(elsewhere: Path) -> None:
    file = generate(elsewhere, "list-signing")
    use_only(file, "list-signing")
    (request,) = ask("sign-request", elsewhere)
    foreign = elsewhere / "foreign.key"
    network_command("key", "generate", "list-signing", "--network-name", "other", "--output", foreign)
    outcome = network_command("sign", request["file"], "--key", foreign, "--output", elsewhere / "x", "--yes")
    assert outcome.code == 2
    assert "'other'" in outcome.complaint
    assert not (elsewhere / "x").exists()


def test_a_key_takes_over_from_another_with_both_in_use(elsewhere: Path) -> None:
    (old,) = [key["key"] for key in ask("key", "list") if key["purpose"] == "list-signing"]
    ask("key", "add", "list-signing", "--reason", "yearly")
    assert len([key for key in ask("key", "list") if key["purpose"] == "list-signing"]) == 2
    assert "--force does it now" in network_command("key", "retire", old).complaint
    assert network_command("key", "add", "list-signing").code == 2  # a third one has to wait
    ask("key", "retire", old, "--force")
    kept = [key for key in ask("key", "list", "--all") if key["key"] == old]
    assert kept[0]["where"] == "nowhere"
