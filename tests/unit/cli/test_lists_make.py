"""`headrace lists make` and `keygen`."""

import base64
import hashlib
import inspect
import io
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)
from tests.package_keys import KEY
from tests.unit.cli.running import entry, run, signed

from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.documents.signed_package import open_package, read_package


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY.to_text() + "\n")
    return path


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    path = tmp_path / "servers.list"
    path.write_text(f"{signed(1)}\r\n\n{entry(2).upper()}\n")
    return path


LINES = f"{signed(1)}\n{entry(2).upper()}"


def test_lines_go_in_as_they_are(servers: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "server_list_compressed"
    outcome = run("lists", "make", servers, "--private-key", key_file, "--output", out)
    assert outcome.code == 0
    package = out.read_bytes()
    assert b"".join(open_package(io.BytesIO(package), KEY.public).chunks()).decode() == LINES
    assert outcome.lines == [
        f"{out}: 2 entries, 1 without a signature of their own",
        f"{len(package):,} bytes, MD5 and ETag {hashlib.md5(package).hexdigest()}",
    ]


def test_the_plain_list_of_old_clients(servers: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "server_list"
    run("lists", "make", servers, "--private-key", key_file, "--output", out, "--plain")
    assert read_package(out.read_bytes(), KEY.public, compressed=False) == LINES


def test_on_standard_output_for_programs(servers: Path, key_file: Path) -> None:
    outcome = run("lists", "make", servers, "--private-key", key_file, "--output", "-", "--plain", "--json")
    package = outcome.out.encode()
    assert read_package(package, KEY.public, compressed=False) == LINES
    md5 = hashlib.md5(package).hexdigest()
    told = {"file": "-", "bytes": len(package), "entries": 2, "unsigned": 1, "md5": md5, "etag": f'"{md5}"'}
    assert json.loads(outcome.err) == told


@pytest.mark.parametrize(
    "bad",
    [
        "zz",
        entry(3)[:-1],
        entry(3, ipAddress="home"),
        entry(3, region="A" * 40_000),
        entry(3, configurationVersion=2**31 - 1),
        entry(3, configurationVersion=1e300),
    ],
    ids=["hex", "cut", "address", "long", "version", "astronomic version"],
)
def test_a_line_that_clients_cannot_import_is_refused(
    bad: str, servers: Path, key_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").write_text(f"{entry(4)}\n{bad}\n")
    out = tmp_path / "out"
    out.write_text("before")
    outcome = run("lists", "make", servers, tmp_path / "more", "--private-key", key_file, "--output", out)
    assert outcome.code == 2
    assert outcome.complaint.startswith(f"{tmp_path}/more:2: ")
    assert out.read_text() == "before"


# ---- keys


def pem(password: str) -> str:
    key = load_der_private_key(base64.b64decode(KEY.to_text()), None)
    lock = BestAvailableEncryption(password.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, lock).decode()


def make(servers: Path, key: str, tmp_path: Path) -> str:
    """Sign with the key in this text; return the complaint."""
    (tmp_path / "key").write_text(key)
    return run(
        "lists", "make", servers, "--private-key", tmp_path / "key", "--output", tmp_path / "out"
    ).complaint


def test_the_deployed_pavers_keys_open(
    servers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEADRACE_KEY_PASSWORD", raising=False)
    assert make(servers, pem("none"), tmp_path) == ""
    assert "HEADRACE_KEY_PASSWORD" in make(servers, pem("another"), tmp_path)
    monkeypatch.setenv("HEADRACE_KEY_PASSWORD", "another")
    assert make(servers, pem("another"), tmp_path) == ""
    complaint = make(servers, pem("none"), tmp_path)
    assert "password is wrong" in complaint
    assert "HEADRACE_KEY_PASSWORD" in complaint  # and not: make a new key, which no client would know


@pytest.mark.parametrize("text", ["", "nonsense", KEY.public.to_text(), KEY.to_text()[:-8]])
def test_a_private_key_that_is_none(text: str, servers: Path, tmp_path: Path) -> None:
    complaint = make(servers, text, tmp_path)
    assert "headrace lists keygen" in complaint
    assert not text or text not in complaint


def test_a_new_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackageSigningKey, "generate", lambda: KEY)  # 4096 bits take seconds
    outcome = run("lists", "keygen", "--output", tmp_path / "new")
    assert outcome.code == 0
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").read_text().strip() == KEY.to_text()
    public = PackageVerifyingKey.from_text((tmp_path / "new.pub").read_text())
    assert public.digest == KEY.digest
    assert "--force" in run("lists", "keygen", "--output", tmp_path / "new").complaint


def test_keys_are_as_long_as_deployed_ones() -> None:
    default = inspect.signature(PackageSigningKey.generate).parameters["bits"].default
    assert default == 4096
