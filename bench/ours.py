"""How our own programs are started, and the directory of a server that lets benches be benches."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.programs import Program, free_port
from headrace.server.generate import CONFIG_FILE, ENTRY_FILE, TRAFFIC_RULES_FILE, generate_server

__all__ = [
    "CONNECTED",
    "ENTRY_FILE",
    "client_command",
    "client_config",
    "loosen",
    "new_server",
    "start_client",
    "start_server",
]

#: Loopback destinations, and more port forwards at once than one client would ever have.
_CONFIG = {"AllowBogons": True, "LoadMonitorPeriodSeconds": 0, "DNSResolverIPAddress": "127.0.0.1"}
#: The load generator's load is no reason for the server to take no new tunnels.
_LOAD_IS_OURS = {"LoadLimits": {"LoadPerCore": 0}}
_RULES = {
    "IdleTCPPortForwardTimeoutMilliseconds": 600_000,
    "MaxTCPDialingPortForwardCount": 4096,
    "MaxTCPPortForwardCount": 16_384,
}


def loosen(directory: Path, more: Mapping[str, object] | None = None) -> None:
    """Adapt a generated server, of either make, to loopback and load; the rest stays default."""
    config = json.loads((directory / CONFIG_FILE).read_text())
    config.update(_CONFIG, **(more or {}))
    (directory / CONFIG_FILE).write_text(json.dumps(config))
    rules = json.loads((directory / TRAFFIC_RULES_FILE).read_text())
    rules["DefaultRules"].update(_RULES)
    (directory / TRAFFIC_RULES_FILE).write_text(json.dumps(rules))


def new_server(
    directory: Path, address: str = "127.0.0.1", settings: Mapping[str, object] | None = None
) -> tuple[dict[str, int], str]:
    """Generate a server into `directory`; return its ports by protocol, and its encoded entry."""
    ports = {"OSSH": free_port(), "SSH": free_port()}
    made = generate_server(ip=address, protocols=ports)
    made.write(directory)
    loosen(directory, {**_LOAD_IS_OURS, **(settings or {})})
    return ports, (directory / ENTRY_FILE).read_text().strip()


def start_server(
    directory: Path,
    address: str = "127.0.0.1",
    *,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
) -> Program:
    """Start the server generated in `directory`."""
    command: list[str | Path] = [sys.executable, "-m", "headrace", "server", "run", "--workers", str(workers)]
    command += ["--listen", address, "--config", directory / CONFIG_FILE]
    return Program(command, directory / "headrace-server.log", env=env).ready_when_logged("headrace server:")


def client_config(
    directory: Path, entry: str, protocol: str, socks_port: int, http_port: int | None = None
) -> Path:
    """Write a client's configuration, for our client or the deployed one; return its path.

    Without an `entry` the client knows the servers that it is given on its command line; without an
    `http_port` it has no HTTP proxy.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {
        "PropagationChannelId": "FFFFFFFFFFFFFFFF",
        "SponsorId": "FFFFFFFFFFFFFFFF",
        "ClientVersion": "0",
        "ClientPlatform": "Linux_x86_64",
        "DataRootDirectory": str(directory),
        "LocalSocksProxyPort": socks_port,
        "DisableLocalHTTPProxy": http_port is None,
        "LocalHttpProxyPort": http_port or 0,
        "LimitTunnelProtocols": [protocol],
        "DisableRemoteServerListFetcher": True,
        "DisableTactics": True,
        "DisableDSLFetcher": True,
        "DisableReplay": True,
        "EmitDiagnosticNotices": True,
        "NetworkID": "WIFI-loopback",
    }
    if entry:
        config["TargetServerEntry"] = entry
    path = directory / "client.config"
    path.write_text(json.dumps(config))
    return path


def client_command(config: Path) -> list[str | Path]:
    """Return how our client is started."""
    return [sys.executable, "-m", "headrace", "client", "--config", config]


def start_client(
    directory: Path, entry: str, protocol: str, socks_port: int, http_port: int | None = None
) -> Program:
    """Start our client and wait for its tunnel."""
    command = client_command(client_config(directory, entry, protocol, socks_port, http_port))
    return Program(command, directory / "headrace-client.log").ready_when_logged(CONNECTED)


#: What either client's notices hold once there is a tunnel; members are in the order of their names.
CONNECTED = '{"data":{"count":1},"noticeType":"Tunnels"'
