"""The default route of a Linux machine, as the kernel's files tell it: over what, and through whom.

/proc/net/route          one line per IPv4 route; addresses are 32-bit numbers in the machine's byte order
/proc/net/ipv6_route     the same for IPv6; addresses are 32 digits
/proc/net/arp            IPv4 neighbours with their hardware addresses
/sys/class/net/<name>    what kind of interface one is
"""

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DefaultRoute", "default_route", "interface_type"]

#: Flags of a route: it can be used; it says that there is no way.
_UP, _REJECT = 0x1, 0x200
#: Flag of a neighbour whose hardware address is known.
_COMPLETE: Final = 0x2
#: The mask of half of all addresses: VPNs put two such routes over the one that was there.
_HALF: Final = int.from_bytes(bytes((128, 0, 0, 0)), sys.byteorder)
_MOST_BYTES: Final = 1 << 20
#: /sys/class/net/<name>/type of interfaces without hardware addresses, as tunnels are.
_NO_HARDWARE: Final = "65534"
_MOBILE: Final = ("wwan", "ppp", "rmnet", "ccmni")
_VPN: Final = ("tun", "tap", "wg", "utun", "ipsec", "vpn")


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """The interface, and the router behind it: its address, and its hardware address if that is known."""

    interface: str
    gateway: str = ""
    hardware: str = ""


def default_route(root: Path = Path("/")) -> DefaultRoute | None:
    """Return the route that most traffic takes, None if there is none. IPv4 comes first."""
    best = min(_ipv4_routes(root), default=None) or min(_ipv6_routes(root), default=None)
    if best is None:
        return None
    _, _, interface, gateway = best
    return DefaultRoute(interface, gateway, _hardware(root, interface, gateway))


def interface_type(name: str, root: Path = Path("/")) -> str:
    """Return WIFI, MOBILE, VPN, WIRED, or UNKNOWN if there is no such interface."""
    path = root / "sys/class/net" / name
    if not name or "/" in name or name in (".", "..") or not path.is_dir():
        return "UNKNOWN"
    kind = _read(path / "uevent")
    if (path / "wireless").exists() or (path / "phy80211").exists() or "DEVTYPE=wlan\n" in kind:
        return "WIFI"
    if name.startswith(_MOBILE) or "DEVTYPE=wwan\n" in kind:
        return "MOBILE"
    if name.startswith(_VPN) or (path / "tun_flags").exists() or "DEVTYPE=wireguard\n" in kind:
        return "VPN"
    return "VPN" if _read(path / "type").strip() == _NO_HARDWARE else "WIRED"


_Ranked = tuple[int, int, str, str]  # 0 for half of the addresses, else 1; metric; interface; gateway


def _ipv4_routes(root: Path) -> Iterator[_Ranked]:
    for line in _read(root / "proc/net/route").splitlines()[1:]:
        try:
            name, destination, gateway, flags, _, _, metric, mask, *_ = line.split()
            half = int(mask, 16) == _HALF
            if int(destination, 16) or not (half or int(mask, 16) == 0) or not _usable(flags):
                continue
            raw = int(gateway, 16).to_bytes(4, sys.byteorder)
            yield int(not half), int(metric), name, str(ipaddress.IPv4Address(raw)) if any(raw) else ""
        except (ValueError, OverflowError):
            continue


def _ipv6_routes(root: Path) -> Iterator[_Ranked]:
    for line in _read(root / "proc/net/ipv6_route").splitlines():
        try:
            destination, size, _, _, gateway, metric, _, _, flags, name, *_ = line.split()
            if int(destination, 16) or int(size, 16) > 1 or not _usable(flags) or name == "lo":
                continue
            raw = bytes.fromhex(gateway)
            yield (
                int(size == "00"),
                int(metric, 16),
                name,
                str(ipaddress.IPv6Address(raw)) if any(raw) else "",
            )
        except ValueError:
            continue


def _usable(flags: str) -> bool:
    return int(flags, 16) & (_UP | _REJECT) == _UP


def _hardware(root: Path, interface: str, gateway: str) -> str:
    for line in _read(root / "proc/net/arp").splitlines()[1:]:
        match line.split():
            case [address, _, flags, hardware, _, device] if (address, device) == (gateway, interface):
                try:
                    return hardware if int(flags, 16) & _COMPLETE else ""
                except ValueError:
                    return ""
    return ""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
