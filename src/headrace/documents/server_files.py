"""The files of a server as they begin: what is the same for all, whoever makes them.

    psiphond.config                 the server's configuration, with its secrets
    psiphond-traffic-rules.config   what clients may use
    psiphond-tactics.config         how the server answers prefixes
    psiphond-osl.config             how clients earn obfuscated lists
    psinet.json                     what it tells clients of the network
    blocklist.csv                   where nobody may go
    draining                        there while the server is to take no new tunnels

Names and fields are those of the deployed server program, which can run on these files as well.
"""

import json
from typing import Any, Final

from headrace.obfuscation.default_prefix import SERVER_SPECS

__all__ = [
    "BLOCKLIST_FILE",
    "CONFIG_FILE",
    "DRAINING_FILE",
    "LOAD_PERIOD",
    "OSL_FILE",
    "PSINET_FILE",
    "SSH_VERSION",
    "TACTICS_FILE",
    "TRAFFIC_RULES_FILE",
    "UDPGW_ADDRESS",
    "default_tactics",
    "default_traffic_rules",
    "encode_file",
]

CONFIG_FILE: Final = "psiphond.config"
TRAFFIC_RULES_FILE: Final = "psiphond-traffic-rules.config"
TACTICS_FILE: Final = "psiphond-tactics.config"
OSL_FILE: Final = "psiphond-osl.config"
PSINET_FILE: Final = "psinet.json"
BLOCKLIST_FILE: Final = "blocklist.csv"
DRAINING_FILE: Final = "draining"

#: Where clients expect udpgw: never dialled, the server speaks it itself.
UDPGW_ADDRESS: Final = "127.0.0.1:7300"
#: Stands for the identification of a common OpenSSH, which the server chooses by its keys and keeps.
SSH_VERSION: Final = "SSH-2.0-Psiphon"
#: Seconds between reports of the load.
LOAD_PERIOD: Final = 300


def default_traffic_rules() -> dict[str, Any]:
    """Return rules that limit nobody's speed."""
    return {
        "DefaultRules": {
            "RateLimits": {
                "ReadUnthrottledBytes": 0,
                "ReadBytesPerSecond": 0,
                "WriteUnthrottledBytes": 0,
                "WriteBytesPerSecond": 0,
            },
            "DialTCPPortForwardTimeoutMilliseconds": 10_000,
            "IdleTCPPortForwardTimeoutMilliseconds": 30_000,
            "IdleUDPPortForwardTimeoutMilliseconds": 30_000,
            "MaxTCPDialingPortForwardCount": 64,
            "MaxTCPPortForwardCount": 512,
            "MaxUDPPortForwardCount": 1024,
        },
        "FilteredRules": [],
    }


def default_tactics() -> dict[str, Any]:
    """Return tactics by which the server answers the prefixes that we ship."""
    return {
        "DefaultTactics": {
            "TTL": "1m",
            "Probability": 1.0,  # below 1 the deployed server does not apply its own parameters
            "Parameters": {"ServerOSSHPrefixSpecs": SERVER_SPECS},
        }
    }


def encode_file(value: object) -> bytes:
    """Return a file of JSON as people read it."""
    return json.dumps(value, indent=4).encode() + b"\n"
