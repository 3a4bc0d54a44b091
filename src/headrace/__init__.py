"""headrace: a Psiphon-class censorship-circumvention system.

    async with headrace.connect(config) as tunnel:
        reader, writer = await tunnel.open_connection("example.org", 80)

docs/python.md has more of this; what is not named here is for headrace itself.

The rooms, in the order in which they may import one another (a test enforces it):

base → crypto, codec → ssh, obfuscation, documents, discovery, establishment → net, transports, store, desktop
→ client, server, network → testing → demo, resist → embed, cli
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.base.errors import DocumentError, HeadraceError, NetworkError, OperatorError
    from headrace.client.status import State, Status
    from headrace.embed.errors import ConnectionFailed
    from headrace.embed.sync import SyncTunnel, connect_sync
    from headrace.embed.tunnel import Event, Tunnel, connect
    from headrace.ssh.forwarding import Failure

__all__ = [
    "ConnectionFailed",
    "DocumentError",
    "Event",
    "Failure",
    "HeadraceError",
    "NetworkError",
    "OperatorError",
    "State",
    "Status",
    "SyncTunnel",
    "Tunnel",
    "connect",
    "connect_sync",
]

__version__ = "0.1.0"

#: Where the names are; loaded when first asked for, so that the command line starts without them.
_PLACES = {
    "base.errors": ("DocumentError", "HeadraceError", "NetworkError", "OperatorError"),
    "client.status": ("State", "Status"),
    "embed.errors": ("ConnectionFailed",),
    "embed.sync": ("SyncTunnel", "connect_sync"),
    "embed.tunnel": ("Event", "Tunnel", "connect"),
    "ssh.forwarding": ("Failure",),
}


def __getattr__(name: str) -> Any:
    for place, names in _PLACES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"headrace.{place}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
