"""`headrace network server …`: the servers of the network."""

import click

from headrace.cli.root import LazyGroup

__all__ = ["server"]

_HERE = "headrace.cli.network"


@click.group(
    cls=LazyGroup,
    lazy={
        "list": f"{_HERE}.server_view:list_servers",
        "show": f"{_HERE}.server_view:show",
        "explain": f"{_HERE}.server_view:explain",
        "create": f"{_HERE}.server_create:create",
        "set": f"{_HERE}.server_set:set_server",
        "test": f"{_HERE}.server_test:test",
        "pause": f"{_HERE}.server_standing:pause",
        "restore": f"{_HERE}.server_standing:restore",
        "drain": f"{_HERE}.server_standing:drain",
        "remove": f"{_HERE}.server_standing:remove",
        "swap-address": f"{_HERE}.server_standing:swap_address",
        "forget-addresses": f"{_HERE}.server_standing:forget_addresses",
    },
)
def server() -> None:
    """The servers: which there are, where they are in their lives, and who may learn of them.

    A server is called by three words, a tag or its address; words may be joined by hyphens.

    \b
    headrace network server create --channel web --role permanent --address 192.0.2.7 --region DE
    headrace network server list
    headrace network server show dro-fai-mesk
    """
