"""The file that runs: what is in it, and that it is always the same."""

import ast
import hashlib
import io
import json
import sys
import sysconfig
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import PurePosixPath

import pytest

import headrace
from headrace.base.errors import OperatorError
from headrace.network.bundles import archive as module
from headrace.network.bundles.archive import Base, make_archive, pack_base

SHEBANG = b"#!/usr/bin/env python3\n"


def opened(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


@pytest.fixture(scope="module")
def names(base: Base) -> list[str]:
    """The names of all files of the client."""
    return opened(base.data).namelist()


def test_packing_twice_makes_the_same_to_the_byte(base: Base) -> None:
    assert pack_base() == base


def test_it_begins_so_that_a_system_starts_it_with_python(base: Base, bundle_data: bytes) -> None:
    assert make_archive(base, bundle_data).startswith(SHEBANG)


def test_nothing_in_it_tells_when_or_in_which_order_it_was_packed(base: Base, names: list[str]) -> None:
    members = opened(base.data).infolist()
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    library = [name for name in names if name.startswith("lib/")]
    assert library == sorted(set(library))


def test_it_says_what_it_was_packed_for(base: Base) -> None:
    about = json.loads(opened(base.data).read("platform.json"))
    assert about == {
        "version": headrace.__version__,
        "digest": base.digest,
        "python": sys.implementation.cache_tag,
        "platform": sysconfig.get_platform(),
        "extensions": sysconfig.get_config_var("EXT_SUFFIX"),
    }


def test_the_digest_is_of_what_is_unpacked(base: Base) -> None:
    digest = hashlib.sha256()
    with opened(base.data) as archive:
        for name in archive.namelist():
            if name.startswith("lib/"):
                data = archive.read(name)
                digest.update(f"{name}\0{len(data)}\0".encode() + data)
    assert base.digest == digest.hexdigest()


def test_the_client_is_in_it_and_what_only_operators_need_is_not(names: list[str]) -> None:
    rooms = {PurePosixPath(name).parts[2] for name in names if name.startswith("lib/headrace/")}
    assert {"base", "client", "cli", "documents", "net", "ssh", "__main__.py"} <= rooms
    assert not rooms & {"network", "server", "testing", "demo", "resist"}
    assert not [
        name for name in names if name.startswith(("lib/headrace/cli/network", "lib/headrace/cli/server"))
    ]


def test_what_it_needs_is_in_it_and_what_other_extras_need_is_not(names: list[str]) -> None:
    packages = {PurePosixPath(name).parts[1] for name in names if name.startswith("lib/")}
    assert {"cryptography", "msgspec", "click", "rich", "h11", "cffi", "certifi"} <= packages
    assert not packages & {"sqlalchemy", "boto3", "segno", "alembic", "pytest", "numpy", "pip"}


def test_compiled_modules_are_in_it(names: list[str]) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert any(name.startswith("lib/msgspec/") and name.endswith(suffix) for name in names)


def test_nothing_is_in_it_that_a_program_does_not_need(names: list[str]) -> None:
    assert not [name for name in names if name.endswith((".pyc", ".pyi", ".c", ".h"))]
    assert not [name for name in names if "__pycache__" in name or ".." in PurePosixPath(name).parts]
    assert not [name for name in names if "/tests/" in name]


def test_licenses_are_passed_on(names: list[str]) -> None:
    licensed = {
        name.split("/")[1].partition("-")[0]
        for name in names
        if ".dist-info/" in name and "LICEN" in name.upper()
    }
    assert {"headrace", "cryptography", "click", "h11", "msgspec"} <= licensed


def test_a_bundle_is_all_that_two_clients_differ_by(base: Base, bundle_data: bytes) -> None:
    one, two = (opened(make_archive(base, data)) for data in (bundle_data, b"{}\n"))
    assert [name for name in one.namelist() if one.read(name) != two.read(name)] == ["bundle.json"]
    assert one.read("bundle.json") == bundle_data
    assert one.testzip() is None


def test_the_same_bundle_makes_the_same_file(base: Base, bundle_data: bytes) -> None:
    assert make_archive(base, bundle_data) == make_archive(base, bundle_data)
    assert len(make_archive(base, bundle_data)) < len(base.data) + len(bundle_data) + 200


def test_progress_is_told_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_members", lambda: iter([("lib/b", b"b"), ("lib/a", b"a")]))
    told: list[tuple[int, int | None]] = []
    pack_base(lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> object:
        if name == "cbor2":
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(module, "distribution", without)
    with pytest.raises(OperatorError, match="cbor2 is not installed here, and clients need it"):
        pack_base()


def test_nothing_that_is_in_it_imports_what_is_not(base: Base, names: list[str]) -> None:
    modules = {
        name.removeprefix("lib/").removesuffix(".py").replace("/", ".")
        for name in names
        if name.endswith(".py")
    }
    modules |= {name.removesuffix(".__init__") for name in modules}
    lost = []
    with opened(base.data) as archive:
        for name in names:
            if name.startswith("lib/headrace/") and name.endswith(".py"):
                for node in ast.walk(ast.parse(archive.read(name))):
                    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("headrace."):
                        lost += [f"{name} imports {node.module}"] * (node.module not in modules)
    assert lost == []
