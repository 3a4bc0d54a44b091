"""The network in memory that ships with the test kit, under one name."""

from headrace.testing.memory_network import HANGS, Destination, Network, Place, settle
from headrace.testing.memory_server import MemoryServer, client_config, make_tunnel
from headrace.testing.wire import Wire

__all__ = [
    "HANGS",
    "Destination",
    "MemoryServer",
    "Network",
    "Place",
    "Wire",
    "client_config",
    "make_tunnel",
    "settle",
]
