"""`headrace server status`: how a running server is."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import msgspec

from headrace.cli.server_place import running_server, which_server
from headrace.server.status import ServerStatus, State

__all__ = ["NOT_SERVING", "SERVING", "show", "status"]

SERVING, NOT_SERVING = 0, 1
"""Exit codes. A server that takes no new tunnels does not serve, whatever it has."""

#: Seconds between two looks.
PERIOD: Final = 1.0


@click.command()
@which_server
@click.option(
    "--json", "as_json", is_flag=True, help="Print an object for programs; with --watch, one a line."
)
@click.option("--watch", is_flag=True, help="Go on, and print again every second.")
def status(config: Path | None, data_directory: Path | None, as_json: bool, watch: bool) -> None:
    """Say how a running server is: its processes, its tunnels, and what it has counted.

    The exit code is 0 if it takes new tunnels, 1 if it runs and does not, and 3 if it does not run.

    \b
    headrace server status --config my-server/psiphond.config
    headrace server status --data-directory /var/lib/headrace --json --watch
    """
    with running_server(config, data_directory) as server:
        show(current := server.status(), as_json=as_json)
        with suppress(KeyboardInterrupt):  # which is how watching ends
            while watch:
                time.sleep(PERIOD)
                show(current := server.status(), as_json=as_json)
    sys.exit(SERVING if current.state is State.SERVING else NOT_SERVING)


def show(current: ServerStatus, *, as_json: bool = False) -> None:
    """Print how a server is."""
    from rich.console import Console

    from headrace.cli.server_view import headline, table
    from headrace.cli.words import say

    if as_json:
        click.echo(msgspec.json.encode(current).decode())
        return
    console = Console(highlight=False)
    say(console, headline(current), style="bold")
    console.print(table(current))
