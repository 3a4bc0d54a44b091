"""Obfuscated server lists: what is paved, byte for byte, and what clients open of it."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.key_stream import KeyStream
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.crypto.secret_box import open_box
from headrace.crypto.shamir import split
from headrace.documents.osl.config import OslConfig, Scheme, read_osl_config
from headrace.documents.osl.key_shares import Known
from headrace.documents.osl.paver import PaveFile, file_spec, pave
from headrace.documents.osl.registry import FileSpec, encode_registry, open_osl, read_registry
from headrace.documents.osl.sloks import derive_slok, expand, nanoseconds, period_start
from headrace.documents.osl.urls import file_url, registry_url
from headrace.documents.signed_package import open_package, read_package

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("osl.json").read_text())
PRIVATE = PackageSigningKey.from_text(VECTORS["signingPrivateKey"])
PUBLIC = PackageVerifyingKey.from_text(VECTORS["signingPublicKey"])


def name_of(case: dict[str, Any]) -> str:
    return str(case["name"])


def config_of(case: dict[str, Any]) -> OslConfig:
    return read_osl_config(json.dumps(case["config"]).encode())


def paved(case: dict[str, Any]) -> list[PaveFile]:
    start = case["startTime"]
    return list(
        pave(
            config_of(case),
            case["propagationChannelID"],
            nanoseconds(start) if start else None,
            nanoseconds(case["endTime"]),
            case["paveServerEntries"],
            PRIVATE,
            omit_md5=case["omitMD5SumsSchemes"] or (),
            omit_empty=case["omitEmptyOSLsSchemes"] or (),
        )
    )


def known_to(client: dict[str, Any]) -> Known:
    sloks = {base64.b64decode(slok["ID"]): base64.b64decode(slok["Key"]) for slok in client["sloks"]}
    return sloks.get


def without_sums(registry: str) -> Any:
    """Return a registry's JSON text with every sum that there is made the same."""
    content = json.loads(registry)
    for item in content["FileSpecs"]:
        item["MD5Sum"] = item["MD5Sum"] and "sum"
    return json.dumps(content, separators=(",", ":"))


@pytest.mark.parametrize("case", VECTORS["configValidity"], ids=name_of)
def test_valid_configurations(case: dict[str, Any]) -> None:
    try:
        config_of(case)
    except DocumentError:
        valid = False
    else:
        valid = True
    assert valid == case["valid"]


@pytest.mark.parametrize(
    "case", VECTORS["slokTimes"], ids=lambda case: f"{case['time']} {case['periodNanoseconds']}"
)
def test_periods(case: dict[str, Any]) -> None:
    start = period_start(nanoseconds(case["time"]), case["periodNanoseconds"])
    assert str(start) == case["slokTimeUnixNano"]


@pytest.mark.parametrize("case", VECTORS["urls"], ids=lambda case: str(case["root"]))
def test_urls(case: dict[str, Any]) -> None:
    assert registry_url(case["root"]) == case["registryURL"]
    assert file_url(case["root"], bytes.fromhex(case["oslIDHex"])) == case["fileURL"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_key_derivation(case: dict[str, Any]) -> None:
    config = config_of(case)
    for expected in case["keyDerivation"]:
        scheme = config.schemes[expected["scheme"]]
        key, spec = file_spec(scheme, case["propagationChannelID"], nanoseconds(expected["oslTime"]))
        assert scheme.duration == expected["oslDurationNanoseconds"]
        assert spec.id.hex() == expected["oslIDHex"]
        assert key.hex() == expected["fileKeyHex"]
        structure = bytes.fromhex(expected["splitStructureHex"])
        seed = expand(scheme.master_key, structure, b"osl-file-split-key-material-seed", spec.id)
        assert seed.hex() == expected["splitKeyMaterialSeedHex"]
        assert KeyStream(seed).read(64).hex() == expected["keyMaterialFirst64Hex"]
        top = scheme.seed_period_key_splits[-1]
        shares = split(key, top.total, top.threshold, KeyStream(seed).read)
        assert [share.hex() for share in shares] == expected["topLevelSharesHex"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_sloks(case: dict[str, Any]) -> None:
    config = config_of(case)
    for sample in case["slokSamples"]:
        scheme: Scheme = config.schemes[sample["scheme"]]
        spec = scheme.seed_specs[sample["seedSpec"]]
        start = nanoseconds(sample["time"])
        slok = derive_slok(scheme.master_key, case["propagationChannelID"], spec.id, start)
        assert (slok.id, slok.key) == (base64.b64decode(sample["id"]), base64.b64decode(sample["key"]))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_paving(case: dict[str, Any]) -> None:
    *files, registry = paved(case)
    assert {file.name for file in [*files, registry]} == set(case["files"])
    log = [
        {
            "file": file.name,
            "oslDurationNanoseconds": file.duration,
            "oslTime": nanoseconds(case_time["oslTime"]) == file.start and case_time["oslTime"],
            "scheme": file.scheme,
            "serverEntryCount": file.entries,
        }
        for file, case_time in zip(files, case["paveLog"], strict=True)
    ]
    assert log == case["paveLog"]
    text = base64.b64decode(read_package(registry.contents, PUBLIC)).decode()
    assert without_sums(text) == without_sums(case["registryJSON"])
    # The sums are those of our files, and inside is what is inside the vectors' files.
    sums = {item["ID"]: item["MD5Sum"] for item in json.loads(text)["FileSpecs"]}
    config = config_of(case)
    for file in files:
        md5 = sums[base64.b64encode(file.osl_id).decode()]
        assert md5 is None or base64.b64decode(md5) == hashlib.md5(file.contents).digest()
        key, _ = file_spec(config.schemes[file.scheme], case["propagationChannelID"], file.start)
        theirs = base64.b64decode(case["files"][file.name])
        assert read_package(open_box(key, file.contents), PUBLIC) == read_package(
            open_box(key, theirs), PUBLIC
        )


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_the_registry_is_written_as_it_was_read(case: dict[str, Any]) -> None:
    text = base64.b64encode(case["registryJSON"].encode()).decode()
    specs = list(read_registry(text))
    assert encode_registry(specs) == text
    assert [FileSpec.from_cbor(spec.to_cbor()) for spec in specs] == specs
    contents = io.BytesIO(base64.b64decode(case["files"]["osl-registry"]))
    assert list(read_registry(open_package(contents, PUBLIC).chunks())) == specs


@pytest.mark.parametrize(
    ("case", "client"),
    [(case, client) for case in VECTORS["cases"] for client in case["clients"]],
    ids=name_of,
)
def test_clients_open_what_they_earned(case: dict[str, Any], client: dict[str, Any]) -> None:
    known = known_to(client)
    opened = []
    registry = base64.b64decode(case["files"]["osl-registry"])
    for spec in read_registry(read_package(registry, PUBLIC)):
        if not spec.unlockable(known):
            with pytest.raises(DocumentError):
                spec.file_key(known)
            continue
        key = spec.file_key(known)
        contents = base64.b64decode(case["files"][f"osl-{spec.id.hex()}"])
        opened.append(
            {
                "encodedServerEntries": list(open_osl(contents, key, PUBLIC)),
                "fileKeyHex": key.hex(),
                "oslIDHex": spec.id.hex(),
            }
        )
        if spec.md5_sum:
            assert spec.etag == f'"{hashlib.md5(contents).hexdigest()}"'
    assert opened == client["unlocked"]
