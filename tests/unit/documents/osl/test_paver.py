"""The paver: which lists it makes, of what, for how long. Their bytes are in tests/vectors/test_osl.py."""

import hashlib

import pytest
from tests.osl_configs import CHANNEL, HOUR, osl_config, scheme, spec

from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.osl.config import OslConfig
from headrace.documents.osl.paver import PaveFile, current_osl_id, file_spec, osl_id, pave
from headrace.documents.osl.registry import FileSpec, open_osl, read_registry
from headrace.documents.osl.sloks import derive_slok, nanoseconds
from headrace.documents.signed_package import read_package

EPOCH = nanoseconds("2024-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def key() -> PackageSigningKey:
    return PackageSigningKey.generate(2048)


def starts(files: list[PaveFile]) -> list[float]:
    """Return when the lists begin, in hours after the epoch."""
    return [(file.start - EPOCH) / HOUR for file in files[:-1]]


def registry_of(files: list[PaveFile], key: PackageSigningKey) -> list[FileSpec]:
    return list(read_registry(read_package(files[-1].contents, key.public)))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 0, [0]),
        (None, 9, [0, 3, 6, 9]),
        (None, 8.99, [0, 3, 6]),
        (None, -1, []),
        (-100, 3, [0, 3]),
        (0, 3, [0, 3]),
        (0.01, 3, [3]),
        (3, 9, [3, 6, 9]),
        (4, 5, []),
        (1000, 1004, [1002]),
    ],
)
def test_every_list_that_begins_in_the_range(
    key: PackageSigningKey, start: float | None, end: float, expected: list[int]
) -> None:
    config = osl_config(scheme(SeedPeriodKeySplits=[{"Total": 3, "Threshold": 2}]))
    first = None if start is None else EPOCH + int(start * HOUR)
    files = list(pave(config, CHANNEL, first, EPOCH + int(end * HOUR), {}, key))
    assert starts(files) == expected
    assert files[-1].name == "osl-registry"
    assert [read.id for read in registry_of(files, key)] == [file.osl_id for file in files[:-1]]


def test_only_schemes_of_the_channel(key: PackageSigningKey) -> None:
    config = osl_config(
        scheme(), scheme(PropagationChannelIDs=["A", "B"]), scheme(PropagationChannelIDs=["A"])
    )
    files = list(pave(config, "A", None, EPOCH, {}, key))
    assert [file.scheme for file in files[:-1]] == [1, 2]
    none = list(pave(config, "C", None, EPOCH, {}, key))
    assert len(none) == 1
    assert registry_of(none, key) == []


def test_what_is_in_a_list(key: PackageSigningKey) -> None:
    config = osl_config(scheme(spec(0), spec(1), SeedSpecThreshold=2))
    (only,) = config.schemes
    identity = osl_id(only, CHANNEL, EPOCH)
    files = list(pave(config, CHANNEL, None, EPOCH + HOUR, {identity.hex(): ["b", "a", "a"]}, key))
    first, second, _ = files
    assert (first.name, first.entries, first.duration) == (f"osl-{identity.hex()}", 3, HOUR)
    assert second.entries == 0
    sloks = dict(derive_slok(only.master_key, CHANNEL, each.id, EPOCH) for each in only.seed_specs)
    listed = registry_of(files, key)[0]
    assert listed.etag == f'"{hashlib.md5(first.contents).hexdigest()}"'
    file_key = listed.file_key(sloks.get)
    assert list(open_osl(first.contents, file_key, key.public)) == ["a", "a", "b"]
    other_key, _ = file_spec(only, CHANNEL, EPOCH + HOUR)
    assert list(open_osl(second.contents, other_key, key.public)) == []


def test_what_is_left_out(key: PackageSigningKey) -> None:
    config = osl_config(scheme(spec(0)), scheme(spec(1)))
    identity = osl_id(config.schemes[1], CHANNEL, EPOCH)
    files = list(
        pave(config, CHANNEL, None, EPOCH + HOUR, {identity.hex(): ["a"]}, key, omit_md5=[0], omit_empty=[1])
    )
    assert [(file.scheme, file.entries) for file in files[:-1]] == [(0, 0), (0, 0), (1, 1)]
    assert [read.md5_sum is None for read in registry_of(files, key)] == [True, True, False]


def test_paving_again_changes_nothing_but_what_is_asked_for(key: PackageSigningKey) -> None:
    config = osl_config(
        scheme(spec(0), spec(1), SeedSpecThreshold=2, SeedPeriodKeySplits=[{"Total": 3, "Threshold": 2}])
    )

    def paved(start: int | None, hours: int) -> dict[str, bytes]:
        return {
            file.name: file.contents for file in pave(config, CHANNEL, start, EPOCH + hours * HOUR, {}, key)
        }

    once, again, later = paved(None, 9), paved(None, 9), paved(EPOCH + HOUR, 12)
    assert once == again
    assert len(once.keys() & later.keys()) == 4  # three lists, and the registry, which is another
    assert all(once[name] == later[name] for name in once.keys() & later.keys() if name != "osl-registry")


def test_other_splits_share_no_secret() -> None:
    def keys(config: OslConfig) -> tuple[bytes, FileSpec]:
        return file_spec(config.schemes[0], CHANNEL, EPOCH)

    two = [{"Total": 2, "Threshold": 1}]
    three = [{"Total": 3, "Threshold": 1}]
    one, other = (
        keys(osl_config(scheme(SeedPeriodKeySplits=two))),
        keys(osl_config(scheme(SeedPeriodKeySplits=three))),
    )
    assert one[1].id == other[1].id
    assert one[0] != other[0]


@pytest.mark.parametrize(("hours", "expected"), [(-5, 0), (0, 0), (2.99, 0), (3, 3), (100, 99)])
def test_the_current_list(hours: float, expected: int) -> None:
    (only,) = osl_config(scheme(SeedPeriodKeySplits=[{"Total": 3, "Threshold": 2}])).schemes
    current = current_osl_id(only, CHANNEL, EPOCH + int(hours * HOUR))
    assert current == osl_id(only, CHANNEL, EPOCH + expected * HOUR)
