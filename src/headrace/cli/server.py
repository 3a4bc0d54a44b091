"""`headrace server`: make a server, run it, and look after it."""

import click

from headrace.cli.root import LazyGroup

__all__ = ["server"]


@click.group(
    cls=LazyGroup,
    lazy={
        "generate": "headrace.cli.server_generate:generate",
        "check": "headrace.cli.server_check:check",
        "run": "headrace.cli.server_run:run",
        "status": "headrace.cli.server_status:status",
        "reload": "headrace.cli.server_orders:reload",
        "drain": "headrace.cli.server_orders:drain",
        "resume": "headrace.cli.server_orders:resume",
    },
)
def server() -> None:
    """Make a server of your own, run it, and look after it.

    \b
    headrace server generate --ip 203.0.113.7 --protocol OSSH:443 --out my-server
    headrace server run --config my-server/psiphond.config
    headrace server status --config my-server/psiphond.config
    """
