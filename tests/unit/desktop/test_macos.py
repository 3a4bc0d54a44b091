"""macOS' settings, with a networksetup in memory; and exactly what it is asked."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.desktop.macos import MacOS
from headrace.desktop.settings import LOCAL_NETWORKS, Proxies

PROXIES = Proxies("127.0.0.1", 8080, 1080)
KINDS = ("webproxy", "securewebproxy", "socksfirewallproxy")


class NetworkSetup:
    """What the program does, for two services and one that is switched off."""

    def __init__(self) -> None:
        self.services = ["Wi-Fi", "USB 10/100 LAN"]
        self.proxies = {(service, kind): ["No", "", "0"] for service in self.services for kind in KINDS}
        self.domains = {"Wi-Fi": ["*.local", "169.254/16"], "USB 10/100 LAN": list[str]()}
        self.automatic = {"Wi-Fi": "Yes", "USB 10/100 LAN": "No"}
        self.set: list[str] = []

    def __call__(self, command: Sequence[str]) -> str:
        name, action, *words = command
        assert name == "networksetup"
        if action == "-listallnetworkservices":
            return "An asterisk (*) denotes that a network service is disabled.\n" + "\n".join(
                [*self.services, "*Thunderbolt Bridge", ""]
            )
        service, *values = words
        verb, kind = action[1:4], action[4:]
        if verb == "set":
            self.set.append(" ".join(command))
        match verb, kind:
            case "get", "autoproxyurl":
                return f"URL: (null)\nEnabled: {self.automatic[service]}\n"
            case "set", "autoproxystate":
                self.automatic[service] = {"on": "Yes", "off": "No"}[values[0]]
            case "get", "proxybypassdomains":
                domains = self.domains[service]
                return (
                    "\n".join(domains) + "\n"
                    if domains
                    else f"There aren't any bypass domains set on {service}.\n"
                )
            case "set", "proxybypassdomains":
                self.domains[service] = [] if values == ["Empty"] else values
            case "get", _:
                enabled, server, port = self.proxies[service, kind]
                return f"Enabled: {enabled}\nServer: {server}\nPort: {port}\nAuthenticated Proxy Enabled: 0\n"
            case "set", _ if kind.endswith("state"):
                self.proxies[service, kind.removesuffix("state")][0] = {"on": "Yes", "off": "No"}[values[0]]
            case "set", _:
                self.proxies[service, kind] = ["Yes", *values]
        return ""


def test_what_programs_see() -> None:
    setup = NetworkSetup()
    setup.services = ["Wi-Fi"]
    desktop = MacOS(setup)
    desktop.write(desktop.settings(PROXIES))
    assert setup.set == [
        "networksetup -setwebproxy Wi-Fi 127.0.0.1 8080",
        "networksetup -setwebproxystate Wi-Fi on",
        "networksetup -setsecurewebproxy Wi-Fi 127.0.0.1 8080",
        "networksetup -setsecurewebproxystate Wi-Fi on",
        "networksetup -setsocksfirewallproxy Wi-Fi 127.0.0.1 1080",
        "networksetup -setsocksfirewallproxystate Wi-Fi on",
        f"networksetup -setproxybypassdomains Wi-Fi localhost *.local {' '.join(LOCAL_NETWORKS)}",
        "networksetup -setautoproxystate Wi-Fi off",
    ]


@pytest.mark.parametrize(
    "proxies", [PROXIES, Proxies("192.0.2.1", None, 1080), Proxies("127.0.0.1", 8080, None)]
)
def test_what_is_written_is_read(proxies: Proxies) -> None:
    setup = NetworkSetup()
    setup.proxies["Wi-Fi", "webproxy"] = ["Yes", "proxy.example", "3128"]
    setup.proxies["Wi-Fi", "socksfirewallproxy"] = ["No", "socks.example", "1080"]
    desktop = MacOS(setup)
    settings = desktop.settings(proxies)
    desktop.write(settings)
    assert desktop.read() == settings
    assert {key.rpartition("/")[0] for key in settings} == {"Wi-Fi", "USB 10/100 LAN"}


def test_putting_back() -> None:
    setup = NetworkSetup()
    setup.proxies["Wi-Fi", "webproxy"] = ["Yes", "proxy.example", "3128"]
    setup.proxies["Wi-Fi", "securewebproxy"] = ["No", "proxy.example", "3129"]
    desktop = MacOS(setup)
    before = desktop.read()
    desktop.write(desktop.settings(PROXIES))
    setup.set.clear()
    desktop.write({key: text for key, text in before.items() if key.startswith("Wi-Fi/")})
    assert setup.set == [
        "networksetup -setwebproxy Wi-Fi proxy.example 3128",
        "networksetup -setwebproxystate Wi-Fi on",
        "networksetup -setsecurewebproxy Wi-Fi proxy.example 3129",
        "networksetup -setsecurewebproxystate Wi-Fi off",
        "networksetup -setsocksfirewallproxystate Wi-Fi off",
        "networksetup -setproxybypassdomains Wi-Fi *.local 169.254/16",
        "networksetup -setautoproxystate Wi-Fi on",
    ]
    desktop.write({"USB 10/100 LAN/bypass": ""})
    assert setup.set[-1] == "networksetup -setproxybypassdomains USB 10/100 LAN Empty"


@given(st.text())
def test_garbage(text: str) -> None:
    MacOS(lambda command: text).settings(PROXIES)
