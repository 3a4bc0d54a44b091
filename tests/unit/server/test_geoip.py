"""Where addresses are: what databases know, and how they are taken in use and replaced."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.geoip_database import write_database

from headrace.base.errors import DocumentError
from headrace.net.addresses import Address
from headrace.server.geoip import NO_COUNTRIES, NOWHERE, UNKNOWN, GeoIP, Place

WORLD = {"198.18.0.0/16": "DE", "198.19.0.0/16": "IR", "2001:db8::/32": "FR"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeoIP:
    return GeoIP.load([write_database(tmp_path_factory.mktemp("geoip") / "world.mmdb", WORLD)])


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("198.18.0.0", "DE"),
        ("198.18.255.255", "DE"),
        ("198.19.0.1", "IR"),
        ("198.20.0.0", UNKNOWN),
        ("2001:db8::7", "FR"),
        ("2001:db9::7", UNKNOWN),
        ("127.0.0.1", UNKNOWN),
        ("fe80::1%eth0", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_countries(world: GeoIP, address: str, country: str) -> None:
    assert world.country(address) == country
    assert NO_COUNTRIES.country(address) == UNKNOWN


@given(st.ip_addresses())
def test_every_address_has_a_country_or_none(world: GeoIP, address: Address) -> None:
    assert world.country(str(address)) in {"DE", "IR", "FR", UNKNOWN}


@pytest.mark.parametrize(
    ("record", "country"),
    [
        ({"country": {"iso_code": "DE", "names": {"en": "Germany"}}, "city": {}}, "DE"),
        ({"country": "DE", "asn": 1}, "DE"),
        ({"registered_country": {"iso_code": "DE"}}, UNKNOWN),
        ({"country": {"iso_code": "de"}}, UNKNOWN),
        ({"country": {"iso_code": "DEU"}}, UNKNOWN),
        ({"country": {"iso_code": 7}}, UNKNOWN),
        ({"country": {}}, UNKNOWN),
        ({"country": ["DE"]}, UNKNOWN),
        (["DE"], UNKNOWN),
        (7, UNKNOWN),
    ],
)
def test_records_of_all_sorts(tmp_path: Path, record: object, country: str) -> None:
    path = write_database(tmp_path / "odd.mmdb", {"198.18.0.0/16": record})
    assert GeoIP.load([path]).country("198.18.0.1") == country


def test_the_first_database_that_knows_a_country_is_believed(tmp_path: Path) -> None:
    paths = [
        write_database(tmp_path / "asn.mmdb", {"198.18.0.0/16": {"autonomous_system_number": 7}}),
        write_database(tmp_path / "old.mmdb", {"198.18.0.0/16": "DE"}, version=4),
        write_database(tmp_path / "new.mmdb", {"198.18.0.0/16": "FR", "2001:db8::/32": "IR"}),
    ]
    countries = GeoIP.load(paths)
    assert countries.country("198.18.0.1") == "DE"
    assert countries.country("2001:db8::1") == "IR"


def test_a_place_is_put_together_from_all_databases(tmp_path: Path) -> None:
    city = {"country": {"iso_code": "DE"}, "city": {"names": {"en": "Bonn"}}}
    network = {"autonomous_system_number": 7, "autonomous_system_organization": "Seven"}
    paths = [
        write_database(tmp_path / "city.mmdb", {"198.18.0.0/16": city}),
        write_database(tmp_path / "isp.mmdb", {"198.18.0.0/15": {**network, "isp": "Seven of Bonn"}}),
        write_database(tmp_path / "flat.mmdb", {"198.18.0.0/15": {"country": "FR", "asn": "AS8"}}),
    ]
    geo_ip = GeoIP.load(paths)
    assert geo_ip.place("198.18.0.1") == Place("DE", "Bonn", "Seven of Bonn", "7", "Seven")
    assert geo_ip.place("198.19.0.1") == Place("FR", UNKNOWN, "Seven of Bonn", "7", "Seven")
    assert (geo_ip.asn("198.19.0.1"), geo_ip.country("198.19.0.1")) == ("7", "FR")
    assert geo_ip.place("198.20.0.1") == geo_ip.place("no address") == NO_COUNTRIES.place("::1") == NOWHERE


@pytest.mark.parametrize(
    "content", [b"", b"{}", bytes(200_000), None], ids=["empty", "JSON", "zeros", "none"]
)
def test_what_is_no_database_is_told_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError, match=rf"GeoIPDatabaseFilenames: .*{path.name}"):
        GeoIP.load([path])


def test_a_file_that_is_written_over_changes_nothing_until_it_is_loaded(tmp_path: Path) -> None:
    path = write_database(tmp_path / "world.mmdb", WORLD)
    countries = GeoIP.load([path])
    path.write_bytes(b"")  # mapped as it is, its pages would be gone, and the process with them
    assert countries.country("198.18.0.1") == "DE"
    with pytest.raises(DocumentError):
        GeoIP.load([path], countries)
    write_database(path, {"198.18.0.0/16": "FR"})
    assert countries.country("198.18.0.1") == "DE"
    assert GeoIP.load([path], countries).country("198.18.0.1") == "FR"


def test_a_database_is_replaced_while_it_is_asked(tmp_path: Path) -> None:
    path = write_database(tmp_path / "world.mmdb", WORLD)
    current = [GeoIP.load([path])]
    seen: Counter[str] = Counter()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set() or not seen["FR"]:
            seen[current[0].country("198.18.0.1")] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for turn in range(10):
            write_database(path, {"198.18.0.0/16": "FR" if turn % 2 else "DE", f"{turn}.0.0.0/8": "IR"})
            current[0] = GeoIP.load([path], current[0])
    finally:
        done.set()
        asking.join()
    assert seen.keys() <= {"DE", "FR"}


def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_database(tmp_path / name, WORLD) for name in ("one.mmdb", "two.mmdb")]
    before = GeoIP.load(paths)
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    assert GeoIP.load(paths, before).country("198.18.0.1") == "DE"
    os.utime(paths[1], ns=(0, 0))
    with pytest.raises(DocumentError, match=r"two\.mmdb"):
        GeoIP.load(paths, before)


def test_copies_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    countries = GeoIP.load([write_database(tmp_path / "world.mmdb", WORLD)])
    assert countries.country("198.18.0.1") == "DE"
    assert list(copies.iterdir()) == []
