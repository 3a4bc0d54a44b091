"""Telling networks apart, and telling nobody which they are."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.store_contents import SetClock
from tests.unit.net.fake_machine import FakeMachine

from headrace.base.rng import SeededRng
from headrace.net.default_route import DefaultRoute
from headrace.net.network_id import NetworkIdentity, network_id, network_salt, type_of

ROUTER, MAC = "192.0.2.254", "02:00:5e:10:00:01"
SALT = bytes(32)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    machine = FakeMachine(tmp_path)
    machine.interface("eth0")
    machine.interface("wlan0", directories=("wireless",))
    return machine


@dataclass
class Kept:
    texts: dict[str, str]

    def get(self, key: str) -> str:
        return self.texts.get(key, "")

    def set(self, key: str, text: str) -> None:
        self.texts[key] = text


def test_an_id_is_of_the_type_and_of_the_router(machine: FakeMachine) -> None:
    def identity(interface: str, hardware: str, salt: bytes = SALT) -> str:
        return network_id(DefaultRoute(interface, ROUTER, hardware), salt, machine.root)

    here = identity("eth0", MAC)
    assert here.startswith("WIRED-")
    assert len(here) == len("WIRED-") + 16
    assert identity("eth0", MAC.upper()) == here
    assert identity("eth0", "02:00:5e:10:00:02") != here
    assert identity("wlan0", MAC).startswith("WIFI-")
    assert identity("eth0", MAC, bytes(31) + b"\1") != here
    assert "5e" not in here.partition("-")[2] or MAC.replace(":", "") not in here


def test_without_a_route_nothing_is_known(machine: FakeMachine) -> None:
    assert network_id(None, SALT, machine.root) == "UNKNOWN"
    identity = NetworkIdentity("", SALT, SetClock(), machine.root)
    assert (identity(), identity.type, identity.shown) == ("UNKNOWN", "UNKNOWN", "UNKNOWN")


def test_a_route_without_a_router_is_known_by_its_interface(machine: FakeMachine) -> None:
    machine.interface("tun0")
    machine.interface("tun1")
    first, second = (network_id(DefaultRoute(name), SALT, machine.root) for name in ("tun0", "tun1"))
    assert first.startswith("VPN-")
    assert first != second


def test_what_is_shown_and_told_is_the_type(machine: FakeMachine) -> None:
    machine.route("wlan0", ROUTER)
    machine.neighbour(ROUTER, MAC, "wlan0")
    identity = NetworkIdentity("", SALT, SetClock(), machine.root)
    assert identity().startswith("WIFI-")
    assert (identity.type, identity.shown) == ("WIFI", "WIFI+[redacted]")


@pytest.mark.parametrize(
    ("configured", "type", "shown"),
    [
        ("MOBILE-26201", "MOBILE", "MOBILE+[redacted]"),
        ("VPN", "VPN", "VPN"),
        ("my home", "UNKNOWN", "UNKNOWN+[redacted]"),
        ("home-office", "UNKNOWN", "UNKNOWN+[redacted]"),
    ],
)
def test_a_configured_id_is_taken_for_granted(
    machine: FakeMachine, configured: str, type: str, shown: str
) -> None:
    machine.route("wlan0", ROUTER)
    identity = NetworkIdentity(configured, SALT, SetClock(), machine.root)
    assert (identity(), identity.type, identity.shown) == (configured, type, shown)
    assert type_of(configured) == type


def test_the_machine_is_looked_at_twice_a_second_at_most(machine: FakeMachine) -> None:
    clock = SetClock()
    identity = NetworkIdentity("", SALT, clock, machine.root)
    assert identity() == "UNKNOWN"
    machine.route("eth0", ROUTER)
    clock.now += 0.49
    assert identity() == "UNKNOWN"
    clock.now += 0.02
    assert identity.type == "WIRED"
    machine.clear()
    identity.flush()
    assert identity() == "UNKNOWN"


def test_a_router_whose_address_was_forgotten_is_the_same(machine: FakeMachine) -> None:
    clock = SetClock()
    machine.route("eth0", ROUTER)
    machine.neighbour(ROUTER, MAC, "eth0")
    identity = NetworkIdentity("", SALT, clock, machine.root)
    here = identity()
    machine.forget()
    clock.now += 1
    assert identity() == here
    machine.clear()
    machine.route("eth0", "192.0.2.253")
    clock.now += 1
    assert identity() != here


def test_the_salt_is_drawn_once_and_kept() -> None:
    kept = Kept({})
    salt = network_salt(kept, SeededRng(1))
    assert len(salt) == 32
    assert network_salt(kept, SeededRng(2)) == salt
    assert network_salt(Kept({}), SeededRng(2)) != salt


@pytest.mark.parametrize("text", ["no salt", "00", "00" * 33, "\u0660\u0660" * 32])
def test_a_salt_that_is_none_is_replaced(text: str) -> None:
    kept = Kept({"networkIdSalt": text})
    salt = network_salt(kept, SeededRng(1))
    assert kept.texts == {"networkIdSalt": salt.hex()}
