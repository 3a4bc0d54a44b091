import json
import stat
from pathlib import Path

import pytest

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.network.signing.key_files import open_key_file, read_key_file, write_key_file
from headrace.network.signing.making import KeyPair, make_key
from headrace.network.vault import DamagedSecret, OperatorKey, WrongKey, passphrase_key

KEY = make_key("entry-signing", SYSTEM_RNG)


def lock(text: str = "correct horse battery") -> OperatorKey:
    return passphrase_key(text, cost=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "entry.key"
    write_key_file(file, "demo", KEY, lock(), SYSTEM_RNG)
    return file


def test_a_key_comes_back_from_its_file(path: Path) -> None:
    document = read_key_file(path.read_bytes())
    assert open_key_file(document, lock()) == KEY
    assert (document.network, document.purpose, document.key_id) == ("demo", "entry-signing", KEY.key_id)


def test_a_named_secret_comes_back_from_its_file(tmp_path: Path) -> None:
    key = make_key("osl-master", SYSTEM_RNG, name="scheme 0")
    write_key_file(tmp_path / "key", "demo", key, lock(), SYSTEM_RNG)
    assert open_key_file(read_key_file((tmp_path / "key").read_bytes()), lock()) == key


def test_the_file_is_its_owners_alone_and_shows_nothing_private(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY.private not in path.read_text()
    document = read_key_file(path.read_bytes())
    assert json.loads(path.read_text())["wrapped"] not in repr(document)


def test_a_file_that_is_there_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="exists already"):
        write_key_file(path, "demo", KEY, lock(), SYSTEM_RNG)
    assert path.read_bytes() == before


def test_the_wrong_passphrase_is_a_clear_error(path: Path) -> None:
    with pytest.raises(WrongKey, match="passphrase is the wrong one"):
        open_key_file(read_key_file(path.read_bytes()), lock("another passphrase"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network", "other"),
        ("purpose", "list-signing"),
        ("key_id", "0" * 16),
        ("public", "AAAA"),
        ("name", "x"),
    ],
)
def test_fields_that_were_changed_keep_the_file_closed(path: Path, name: str, value: str) -> None:
    fields = json.loads(path.read_text())
    fields[name] = value
    with pytest.raises(WrongKey):
        open_key_file(read_key_file(json.dumps(fields).encode()), lock())


def test_a_wrapped_key_that_was_changed_is_damaged(path: Path) -> None:
    fields = json.loads(path.read_text())
    fields["wrapped"] = "AAAA" + fields["wrapped"][4:]
    with pytest.raises(DamagedSecret):
        open_key_file(read_key_file(json.dumps(fields).encode()), lock())


def test_a_file_that_was_made_with_another_keys_public_half_is_refused(tmp_path: Path) -> None:
    other = make_key("entry-signing", SYSTEM_RNG)
    mixed = KeyPair(KEY.purpose, "", other.public, other.key_id, KEY.private)
    write_key_file(tmp_path / "key", "demo", mixed, lock(), SYSTEM_RNG)
    with pytest.raises(DocumentError, match="belongs to another public key"):
        open_key_file(read_key_file((tmp_path / "key").read_bytes()), lock())


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"\xff", b"{}", b"[" * 100_000, b'{"headrace": "sign request"}', b" " * 70_000],
    ids=["nothing", "half", "list", "binary", "empty", "deep", "another", "large"],
)
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match="the key file"):
        read_key_file(data)


@pytest.mark.parametrize(
    ("name", "value"), [("version", 2), ("purpose", "magic"), ("extra", 1), ("wrapped", "no base64!")]
)
def test_a_key_file_with_something_unknown_in_it_is_refused(path: Path, name: str, value: object) -> None:
    fields = json.loads(path.read_text())
    fields[name] = value
    with pytest.raises(DocumentError):
        read_key_file(json.dumps(fields).encode())


def test_what_everybody_knows_is_not_kept_in_a_file(tmp_path: Path) -> None:
    key = make_key("exchange-obfuscation", SYSTEM_RNG)
    with pytest.raises(OperatorError, match="nothing secret"):
        write_key_file(tmp_path / "key", "demo", key, lock(), SYSTEM_RNG)
    assert not list(tmp_path.iterdir())
