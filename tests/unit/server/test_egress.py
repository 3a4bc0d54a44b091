"""Which addresses the server may dial."""

import asyncio
import ipaddress
from pathlib import Path

import pytest

from headrace.server import egress as egress_module
from headrace.server.egress import Egress, local_addresses

PUBLIC = Egress(allow_bogons=False)

PUBLIC_ADDRESSES = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450:4001:80e::200e",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_pass(address: str) -> None:
    assert PUBLIC.permitted(address)


def test_own_addresses_are_refused_in_every_form() -> None:
    egress = Egress(allow_bogons=False, own_addresses=["5.6.7.8", "2a01:4f8::7"])
    for address in ("5.6.7.8", "::ffff:5.6.7.8", "64:ff9b::5.6.7.8", "2a01:4f8::7", "2A01:4F8:0:0::7"):
        assert not egress.permitted(address), address
    for neighbour in ("5.6.7.7", "5.6.7.9", "2a01:4f8::6", "2a01:4f8::8"):
        assert egress.permitted(neighbour), neighbour


def test_an_own_address_of_one_family_means_nothing_in_the_other() -> None:
    egress = Egress(allow_bogons=False, own_addresses=["::5.6.7.8"])
    assert egress.permitted("5.6.7.8")


def test_the_test_setting_lets_loopback_through() -> None:
    egress = Egress(allow_bogons=True, own_addresses=["127.0.0.1"])
    assert egress.permitted("127.0.0.1")
    assert egress.permitted("::1")
    assert egress.permitted("192.168.1.1")


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "fe80::1%lo", "1.2.3.4 "])
def test_the_test_setting_lets_nothing_through_that_is_no_address(text: str) -> None:
    assert not Egress(allow_bogons=True).permitted(text)


def test_agrees_with_the_standard_library_on_every_slash_16() -> None:
    # The library knows the same registries; it errs where ours is stricter on purpose.
    stricter = {"192.0.0.0", "192.31.0.0", "192.52.0.0", "192.88.0.0", "192.175.0.0"}
    for high in range(0x10000):
        address = ipaddress.IPv4Address(high << 16)
        if not address.is_global or address.is_multicast:
            assert not PUBLIC.permitted(str(address)), address
        elif str(address) not in stricter:
            assert PUBLIC.permitted(str(address)), address


def test_reads_the_interfaces_addresses_from_linux(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(
        "Main:\n"
        "  +-- 0.0.0.0/0 3 0 5\n"
        "     |-- 0.0.0.0\n"
        "        /0 universe UNICAST\n"
        "        |-- 5.6.7.0\n"
        "           /24 link UNICAST\n"
        "        |-- 5.6.7.8\n"
        "           /32 host LOCAL\n"
        "        |-- 5.6.7.255\n"
        "           /32 link BROADCAST\n"
        "Local:\n"
        "     |-- 5.6.7.8\n"
        "        /32 host LOCAL\n"
    )
    (tmp_path / "if_inet6").write_text("2a0104f8000000000000000000000007 02 40 00 80     eth0\n")
    assert local_addresses(tmp_path) == ["5.6.7.8", "2a01:4f8::7"]


def test_without_proc_no_local_addresses_are_known(tmp_path: Path) -> None:
    assert local_addresses(tmp_path) == []


async def test_an_address_that_the_machine_gets_later_is_its_own_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(egress_module, "LOOK", 0)
    egress = Egress(allow_bogons=False, own_addresses=["5.6.7.8", "2a01:4f8::7"])
    looks = iter([["2a01:4f8::8"], []])  # the second time nothing can be read

    def look() -> list[str]:
        for found in looks:
            return found
        raise OSError  # ends it

    task = asyncio.create_task(egress_module.follow_own_addresses(egress, "5.6.7.8", look))
    await asyncio.wait([task])
    assert isinstance(task.exception(), OSError)
    assert not egress.permitted("5.6.7.8")
    assert not egress.permitted("2a01:4f8::8")
    assert egress.permitted("2a01:4f8::7")
