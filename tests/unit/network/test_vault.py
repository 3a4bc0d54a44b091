import errno
import os
import stat
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.base.rng import SYSTEM_RNG, SeededRng
from headrace.network.vault import (
    DamagedSecret,
    OperatorKey,
    Vault,
    WrongKey,
    file_key,
    make_key_file,
    passphrase_key,
)

PHRASE = "correct horse battery"
SECRET = b"obfuscation keyword"


def phrase_key(text: str = PHRASE) -> OperatorKey:
    return passphrase_key(text, cost=2)


def new_vault() -> Vault:
    return Vault.create(phrase_key(), SYSTEM_RNG)[0]


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    path = tmp_path / "operator.key"
    make_key_file(path, SYSTEM_RNG)
    return path


def test_what_was_sealed_comes_back_after_opening_by_the_header() -> None:
    vault, header = Vault.create(phrase_key(), SYSTEM_RNG)
    sealed = vault.seal(b"server 1", SECRET, SYSTEM_RNG)
    assert Vault.open(header, phrase_key()).unseal(b"server 1", sealed) == SECRET
    assert SECRET not in sealed


def test_a_vault_under_a_key_file(key_path: Path) -> None:
    vault, header = Vault.create(file_key(key_path), SYSTEM_RNG)
    sealed = vault.seal(b"", SECRET, SYSTEM_RNG)
    assert Vault.open(header, file_key(key_path.read_bytes())).unseal(b"", sealed) == SECRET


def test_the_cost_of_a_passphrase_is_taken_from_the_header() -> None:
    _, header = Vault.create(phrase_key(), SYSTEM_RNG)
    Vault.open(header, passphrase_key(PHRASE, cost=3))


def test_the_usual_cost_is_that_of_the_specification() -> None:
    header = passphrase_key(PHRASE).wrap(SECRET, b"", SYSTEM_RNG)
    assert header[5] == 15
    assert passphrase_key(PHRASE).unwrap(header, b"") == SECRET


def test_a_passphrase_is_the_same_however_its_letters_are_composed() -> None:
    _, header = Vault.create(phrase_key("caf\u00e9 caf\u00e9 caf\u00e9"), SYSTEM_RNG)
    Vault.open(header, phrase_key("cafe\u0301 cafe\u0301 cafe\u0301"))


def test_another_passphrase_is_the_wrong_key() -> None:
    _, header = Vault.create(phrase_key(), SYSTEM_RNG)
    with pytest.raises(WrongKey, match="passphrase is the wrong one") as caught:
        Vault.open(header, phrase_key("something else"))
    assert "something else" not in str(caught.value)


def test_another_key_file_is_the_wrong_key(key_path: Path, tmp_path: Path) -> None:
    _, header = Vault.create(file_key(key_path), SYSTEM_RNG)
    with pytest.raises(WrongKey, match="key file is the wrong one"):
        Vault.open(header, make_key_file(tmp_path / "other.key", SYSTEM_RNG))


def test_a_key_of_the_other_kind_is_told_apart(key_path: Path) -> None:
    _, by_phrase = Vault.create(phrase_key(), SYSTEM_RNG)
    _, by_file = Vault.create(file_key(key_path), SYSTEM_RNG)
    with pytest.raises(WrongKey, match="takes a passphrase to open, not a key file"):
        Vault.open(by_phrase, file_key(key_path))
    with pytest.raises(WrongKey, match="takes a key file to open, not a passphrase"):
        Vault.open(by_file, phrase_key())


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_header_flipped_anywhere_is_damaged(bit: int) -> None:
    _, header = Vault.create(phrase_key(), SYSTEM_RNG)
    for place in range(len(header)):
        damaged = bytearray(header)
        damaged[place] ^= bit
        with pytest.raises(DamagedSecret):
            Vault.open(bytes(damaged), phrase_key())


def test_a_header_cut_or_prolonged_is_damaged() -> None:
    _, header = Vault.create(phrase_key(), SYSTEM_RNG)
    for size in range(len(header)):
        with pytest.raises(DamagedSecret):
            Vault.open(header[:size], phrase_key())
    with pytest.raises(DamagedSecret):
        Vault.open(header + b"\0", phrase_key())


@pytest.mark.parametrize(("place", "value"), [(4, 9), (5, 0), (5, 19), (5, 255)])
def test_a_header_of_an_unknown_form_is_refused_although_its_check_is_right(place: int, value: int) -> None:
    from headrace.network.vault import _check

    _, header = Vault.create(phrase_key(), SYSTEM_RNG)
    body = bytearray(header[:-8])
    body[place] = value
    with pytest.raises(DamagedSecret, match="newer"):
        Vault.open(bytes(body) + _check(bytes(body)), phrase_key())


def test_something_else_that_was_wrapped_is_no_header() -> None:
    with pytest.raises(WrongKey):
        Vault.open(phrase_key().wrap(bytes(32), b"another context", SYSTEM_RNG), phrase_key())
    with pytest.raises(DamagedSecret, match="no vault's header"):
        Vault.open(phrase_key().wrap(bytes(31), b"headrace vault", SYSTEM_RNG), phrase_key())


def test_a_sealed_secret_flipped_anywhere_is_damaged() -> None:
    vault = new_vault()
    sealed = vault.seal(b"server 1", SECRET, SYSTEM_RNG)
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 0x04
        with pytest.raises(DamagedSecret):
            vault.unseal(b"server 1", bytes(damaged))


def test_a_sealed_secret_cut_or_prolonged_is_damaged() -> None:
    vault = new_vault()
    sealed = vault.seal(b"server 1", SECRET, SYSTEM_RNG)
    for size in range(len(sealed)):
        with pytest.raises(DamagedSecret):
            vault.unseal(b"server 1", sealed[:size])
    with pytest.raises(DamagedSecret):
        vault.unseal(b"server 1", sealed + b"\0")


def test_a_secret_moved_to_another_owner_does_not_open_there() -> None:
    vault = new_vault()
    with pytest.raises(DamagedSecret, match="belongs elsewhere"):
        vault.unseal(b"server 2", vault.seal(b"server 1", SECRET, SYSTEM_RNG))


def test_a_secret_of_another_vault_does_not_open() -> None:
    with pytest.raises(DamagedSecret):
        new_vault().unseal(b"server 1", new_vault().seal(b"server 1", SECRET, SYSTEM_RNG))


def test_the_same_secret_never_looks_the_same() -> None:
    vault = new_vault()
    assert vault.seal(b"", SECRET, SYSTEM_RNG) != vault.seal(b"", SECRET, SYSTEM_RNG)


def test_an_empty_secret_is_one_too() -> None:
    vault = new_vault()
    assert vault.unseal(b"", vault.seal(b"", b"", SYSTEM_RNG)) == b""


def test_a_new_operators_key_opens_what_was_sealed_before(key_path: Path) -> None:
    vault, header = Vault.create(phrase_key(), SYSTEM_RNG)
    sealed = vault.seal(b"", SECRET, SYSTEM_RNG)
    rewrapped = vault.rewrap(file_key(key_path), SYSTEM_RNG)
    assert Vault.open(rewrapped, file_key(key_path)).unseal(b"", sealed) == SECRET
    with pytest.raises(WrongKey):
        Vault.open(rewrapped, phrase_key())
    assert Vault.open(header, phrase_key()).derive("x") == vault.derive("x")


def test_fingerprints_tell_secrets_apart_and_are_the_vaults_own() -> None:
    vault, other = new_vault(), new_vault()
    assert vault.fingerprint("a") == vault.fingerprint("a")
    assert len({vault.fingerprint("a"), vault.fingerprint("b"), other.fingerprint("a")}) == 3
    assert len(vault.fingerprint("")) == len(vault.fingerprint("\ud800")) == 12
    assert int(vault.fingerprint("a"), 16) >= 0


def test_derived_keys_are_different_for_each_purpose_and_vault() -> None:
    vault, header = Vault.create(phrase_key(), SYSTEM_RNG)
    assert vault.derive("backups") == Vault.open(header, phrase_key()).derive("backups")
    assert len({vault.derive("backups"), vault.derive("samples"), new_vault().derive("backups")}) == 3
    assert len(vault.derive("backups")) == 32


def test_randomness_is_that_which_was_passed() -> None:
    first, second = (Vault.create(phrase_key(), SeededRng(1)) for _ in range(2))
    assert first[1] == second[1]
    assert first[0].seal(b"", SECRET, SeededRng(2)) == second[0].seal(b"", SECRET, SeededRng(2))


def test_nothing_secret_is_shown(key_path: Path) -> None:
    vault = new_vault()
    assert repr(vault) == str(vault) == "Vault()"
    assert repr(phrase_key()) == repr(file_key(key_path)) == "OperatorKey()"


@pytest.mark.parametrize("text", ["", "none", "seven77"])
def test_a_passphrase_that_anybody_would_guess_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="too short"):
        passphrase_key(text)


def test_a_passphrase_that_is_no_text_is_refused() -> None:
    with pytest.raises(OperatorError, match="not Unicode"):
        passphrase_key("\ud800 and more of it")


@pytest.mark.parametrize("cost", [0, 19])
def test_a_cost_out_of_range_is_a_mistake_of_ours(cost: int) -> None:
    with pytest.raises(ValueError, match="cost"):
        passphrase_key(PHRASE, cost=cost)


def test_a_key_file_is_its_owners_alone(key_path: Path) -> None:
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600


def test_a_key_file_is_never_overwritten(key_path: Path) -> None:
    before = key_path.read_bytes()
    with pytest.raises(OperatorError, match="exists already"):
        make_key_file(key_path, SYSTEM_RNG)
    assert key_path.read_bytes() == before


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperatorError, match="exists already"):
        make_key_file(tmp_path / "link", SYSTEM_RNG)


def test_a_key_file_where_none_can_be(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be written"):
        make_key_file(tmp_path / "missing" / "key", SYSTEM_RNG)


def test_a_file_that_could_not_be_written_whole_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperatorError, match="cannot be written: No space"):
        make_key_file(tmp_path / "key", SYSTEM_RNG)
    assert not list(tmp_path.iterdir())


def test_a_key_file_that_everybody_can_read_is_refused(key_path: Path) -> None:
    key_path.chmod(0o604)
    with pytest.raises(OperatorError, match="chmod 600"):
        file_key(key_path)


def test_a_key_file_that_is_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="does not exist"):
        file_key(tmp_path / "missing")
    with pytest.raises(OperatorError, match="cannot be read"):
        file_key(str(tmp_path))


def test_contents_that_are_no_key(key_path: Path) -> None:
    whole = key_path.read_bytes()
    for data in [b"", b"headrace-operator-key-1", b"\xff", b"a b c", whole[:-4], b"x" + whole, whole[:40]]:
        with pytest.raises(OperatorError, match="no operator's key"):
            file_key(data)
