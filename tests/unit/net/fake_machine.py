"""The files in which a Linux kernel tells of its network, for a machine of the test's making."""

import socket
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FakeMachine"]

_ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
_NEIGHBOURS = "IP address       HW type     Flags       HW address            Mask     Device\n"


@dataclass
class FakeMachine:
    """`root` is what stands for "/"."""

    root: Path

    def __post_init__(self) -> None:
        (self.root / "proc/net").mkdir(parents=True)
        self.interface("lo", type="772")
        self.clear()

    def clear(self) -> None:
        """No routes, no neighbours."""
        self._write("route", _ROUTES)
        self._write("ipv6_route", "")
        self.forget()

    def forget(self) -> None:
        """No neighbours."""
        self._write("arp", _NEIGHBOURS)

    def interface(
        self, name: str, *, type: str = "1", uevent: str = "", directories: tuple[str, ...] = ()
    ) -> None:
        path = self.root / "sys/class/net" / name
        path.mkdir(parents=True)
        (path / "type").write_text(type + "\n")
        (path / "uevent").write_text(uevent)
        for directory in directories:
            (path / directory).mkdir()

    def route(
        self,
        interface: str,
        gateway: str = "0.0.0.0",
        *,
        to: str = "0.0.0.0",
        mask: str = "0.0.0.0",
        metric: int = 0,
        flags: int = 3,
    ) -> None:
        numbers = f"{flags:04X}\t0\t0\t{metric}\t{_hex(mask)}\t0\t0\t0"
        self._write("route", f"{interface}\t{_hex(to)}\t{_hex(gateway)}\t{numbers}\n", more=True)

    def route6(
        self,
        interface: str,
        gateway: str = "::",
        *,
        to: str = "::",
        size: int = 0,
        metric: int = 0,
        flags: int = 3,
    ) -> None:
        nobody = "0" * 32
        text = (
            f"{_hex6(to)} {size:02x} {nobody} 00 {_hex6(gateway)} {metric:08x} 00000001 00000000 "
            f"{flags:08x} {interface:>8}\n"
        )
        self._write("ipv6_route", text, more=True)

    def neighbour(self, address: str, hardware: str, interface: str, *, flags: int = 2) -> None:
        text = f"{address:<16} 0x1         {flags:#x}         {hardware}     *        {interface}\n"
        self._write("arp", text, more=True)

    def _write(self, name: str, text: str, *, more: bool = False) -> None:
        with (self.root / "proc/net" / name).open("a" if more else "w") as file:
            file.write(text)


def _hex(address: str) -> str:
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"


def _hex6(address: str) -> str:
    return socket.inet_pton(socket.AF_INET6, address).hex()
