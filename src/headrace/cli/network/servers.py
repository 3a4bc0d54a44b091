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
    },
)
def server() -> None:
    """The servers: which there are, where they are in their lives, and who may learn of them.

    A server is called by three words, a tag or its address; words may be joined by hyphens.

    \b
    headrace network server list
    headrace network server show dro-fai-mesk
    """
