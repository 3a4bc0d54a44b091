"""`headrace server reload`, `drain` and `resume`: what a running server is told to do."""

import sys
import time
from pathlib import Path
from typing import Final

import click

from headrace.cli.server_place import running_server, which_server
from headrace.cli.server_status import show

__all__ = ["drain", "reload", "resume"]

#: Seconds between two looks at whether tunnels are left.
PERIOD: Final = 1.0


@click.command()
@which_server
def reload(config: Path | None, data_directory: Path | None) -> None:
    """Have a running server read the files again that its configuration names.

    A file that is not in order changes nothing, in any of the server's processes: what is wrong is said, and
    the exit code is 1. The configuration itself is read at the start only.

    \b
    headrace server reload --config my-server/psiphond.config
    """
    with running_server(config, data_directory) as server:
        outcome = server.reload()
    for worker, problem in sorted(outcome.items()):
        click.echo(f"worker {worker}: {f'the old state stays: {problem}' if problem else 'reloaded'}")
    sys.exit(1 if any(outcome.values()) else 0)


@click.command()
@which_server
@click.option("--wait", is_flag=True, help="Do not return before the last tunnel has ended.")
def drain(config: Path | None, data_directory: Path | None, wait: bool) -> None:
    """Have a running server take no new tunnels; those it has go on. "resume" undoes it.

    It is not stopped: after `drain --wait` nobody loses anything by that.

    \b
    headrace server drain --config my-server/psiphond.config --wait
    """
    with running_server(config, data_directory) as server:
        current = server.drain()
        while wait and current.figures.established:
            time.sleep(PERIOD)
            current = server.status()
    show(current)


@click.command()
@which_server
def resume(config: Path | None, data_directory: Path | None) -> None:
    """Have a running server take new tunnels again after "drain".

    \b
    headrace server resume --config my-server/psiphond.config
    """
    with running_server(config, data_directory) as server:
        current = server.resume()
    show(current)
