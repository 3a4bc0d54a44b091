"""Finding the default route in the kernel's files."""

from pathlib import Path

import pytest
from tests.unit.net.fake_machine import FakeMachine

from headrace.net.default_route import DefaultRoute, default_route, interface_type

ROUTER, MAC = "192.0.2.254", "02:00:5e:10:00:01"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_a_machine_without_a_way_out_has_none(machine: FakeMachine) -> None:
    machine.route("eth0", to="192.0.2.0", mask="255.255.255.0", flags=1)
    machine.route("eth0", ROUTER, flags=0x203)  # unreachable
    machine.route("eth0", ROUTER, flags=2)  # not up
    machine.route6("lo", flags=0x200200)
    machine.route6("lo", flags=1)
    machine.route6("eth0", to="2001:db8::", size=64)
    assert default_route(machine.root) is None


def test_a_machine_without_such_files_has_none(tmp_path: Path) -> None:
    assert default_route(tmp_path) is None


def test_the_route_has_its_router_and_where_that_is(machine: FakeMachine) -> None:
    machine.route("eth0", ROUTER)
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER, "")
    machine.neighbour("192.0.2.7", "02:00:5e:10:00:07", "eth0")
    machine.neighbour(ROUTER, "02:00:5e:10:00:08", "eth1")
    machine.neighbour(ROUTER, MAC, "eth0")
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER, MAC)


def test_a_neighbour_that_does_not_answer_is_not_known(machine: FakeMachine) -> None:
    machine.route("eth0", ROUTER)
    machine.neighbour(ROUTER, "00:00:00:00:00:00", "eth0", flags=0)
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER, "")


def test_the_lowest_metric_counts(machine: FakeMachine) -> None:
    machine.route("wlan0", "198.51.100.1", metric=600)
    machine.route("eth0", ROUTER, metric=100)
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER)


def test_two_halves_over_the_default_route_are_the_default_route(machine: FakeMachine) -> None:
    machine.route("eth0", ROUTER)
    machine.route("tun0", "203.0.113.1", mask="128.0.0.0", metric=50)
    machine.route("tun0", "203.0.113.1", to="128.0.0.0", mask="128.0.0.0", metric=50)
    assert default_route(machine.root) == DefaultRoute("tun0", "203.0.113.1")


def test_ipv6_counts_where_there_is_no_other(machine: FakeMachine) -> None:
    machine.route6("eth0", "fe80::1", metric=1024)
    machine.route6("eth1", "fe80::2", metric=512)
    assert default_route(machine.root) == DefaultRoute("eth1", "fe80::2")
    machine.route6("tun0", size=1, metric=1024)
    assert default_route(machine.root) == DefaultRoute("tun0")
    machine.route("eth0", ROUTER, metric=5000)
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER)


@pytest.mark.parametrize(
    "line",
    ["", "eth0", "eth0 x x x x x x x x x x", "eth0 " + "0 " * 5 + "x 0 0 0", "eth0 0 1FFFFFFFF 3 0 0 0 0"],
)
def test_lines_that_cannot_be_read_are_passed_over(machine: FakeMachine, line: str) -> None:
    with (machine.root / "proc/net/route").open("a") as file:
        file.write(line + "\n")
    with (machine.root / "proc/net/ipv6_route").open("a") as file:
        file.write(line + "\n")
    machine.route("eth0", ROUTER)
    machine.route6("eth0", "fe80::1")
    assert default_route(machine.root) == DefaultRoute("eth0", ROUTER)


@pytest.mark.parametrize(
    ("name", "details", "expected"),
    [
        ("eth0", {}, "WIRED"),
        ("enp3s0", {}, "WIRED"),
        ("wlan0", {"directories": ("wireless",)}, "WIFI"),
        ("wlp2s0", {"directories": ("phy80211",)}, "WIFI"),
        ("anything", {"uevent": "DEVTYPE=wlan\nINTERFACE=anything\n"}, "WIFI"),
        ("wwan0", {}, "MOBILE"),
        ("ppp0", {"type": "512"}, "MOBILE"),
        ("usb0", {"uevent": "DEVTYPE=wwan\n"}, "MOBILE"),
        ("tun0", {"type": "65534"}, "VPN"),
        ("wg0", {}, "VPN"),
        ("office", {"uevent": "DEVTYPE=wireguard\n"}, "VPN"),
        ("office", {"directories": ("tun_flags",)}, "VPN"),
        ("office", {"type": "65534"}, "VPN"),
    ],
)
def test_kinds_of_interfaces(machine: FakeMachine, name: str, details: dict[str, str], expected: str) -> None:
    machine.interface(name, **details)  # type: ignore[arg-type]
    assert interface_type(name, machine.root) == expected


@pytest.mark.parametrize("name", ["eth7", "", ".", "..", "../net/lo", "\udc80"])
def test_what_is_no_interface_has_no_kind(machine: FakeMachine, name: str) -> None:
    assert interface_type(name, machine.root) == "UNKNOWN"
