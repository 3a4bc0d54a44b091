"""`headrace status`: how the client in the background is."""

import sys

import click
import msgspec
from rich.console import Console

from headrace.base.errors import NetworkError, OperatorError
from headrace.cli.status_view import headline, table
from headrace.cli.words import say
from headrace.client.control_client import RunningClient, find
from headrace.client.control_place import DEFAULT_NAME, check_name
from headrace.client.status import State, Status

__all__ = ["CONNECTED", "NOT_CONNECTED", "NOT_RUNNING", "name_option", "status"]

CONNECTED, NOT_CONNECTED, NOT_RUNNING = 0, 1, 3
"""Exit codes; the last is the one that service managers' commands have for it."""

name_option = click.option(
    "--name", default=DEFAULT_NAME, show_default=True, help="Which client, where several run."
)


@click.command()
@name_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print an object for programs; with --watch, one a line."
)
@click.option("--watch", is_flag=True, help="Go on, and print again whenever something has changed.")
def status(name: str, as_json: bool, watch: bool) -> None:
    """Say how the client is that was started with "headrace connect".

    The exit code is 0 if it is connected, 1 if it runs and is not, and 3 if none runs.

    \b
    headrace status
    headrace status --json --watch
    """
    client = find_client(name)
    if client is None:
        click.echo('{"state":"not running"}' if as_json else "not connected: no client is running")
        sys.exit(NOT_RUNNING)
    with client:
        try:
            last = _follow(client, as_json=as_json) if watch else client.status()
        except NetworkError as error:
            raise OperatorError(str(error), exit_code=1) from error
    if not watch:
        show(last, as_json=as_json)
    sys.exit(exit_code(last))


def _follow(client: RunningClient, *, as_json: bool) -> Status:
    """Show a client's status until it ends, or enough was seen; return the last."""
    last = client.status()
    try:
        for last in client.watch():
            show(last, as_json=as_json)
    except NetworkError:
        pass  # it has ended
    except KeyboardInterrupt:
        return last
    if last.state is not State.ENDED:  # without a last word
        last = msgspec.structs.replace(last, state=State.ENDED, tunnels=0, seconds=0.0, ports={})
        show(last, as_json=as_json)
    return last


def show(current: Status, *, as_json: bool = False) -> None:
    """Print a status."""
    if as_json:
        click.echo(msgspec.json.encode(current).decode())
        return
    console = Console(highlight=False)
    say(console, headline(current), style="bold")
    console.print(table(current))


def exit_code(current: Status) -> int:
    """Return the exit code that tells of a status."""
    if current.state is State.ENDED:
        return NOT_RUNNING
    return CONNECTED if current.state is State.CONNECTED else NOT_CONNECTED


def find_client(name: str) -> RunningClient | None:
    """Return the client of a name, None if none runs. Raises OperatorError."""
    try:
        return find(check_name(name))
    except NetworkError as error:
        raise OperatorError(str(error), exit_code=1) from error
