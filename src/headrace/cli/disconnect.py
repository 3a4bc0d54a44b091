"""`headrace disconnect`: end the client in the background."""

import click

from headrace.base.errors import OperatorError
from headrace.cli.status import find_client, name_option

__all__ = ["disconnect"]


@click.command()
@name_option
@click.option(
    "--wait",
    default=15.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long it may take.",
)
def disconnect(name: str, wait: float) -> None:
    """End the client that was started with "headrace connect", and wait until it has ended.

    Where none is running there is nothing to do, and the exit code is 0 as well.

    \b
    headrace disconnect
    """
    client = find_client(name)
    if client is None:
        click.echo("not connected: no client is running")
        return
    with client:
        if not client.stop(wait):
            who = f"process {client.process}" if client.process else "the client"
            raise OperatorError(
                f"{who} has not ended within {wait:g} seconds; wait longer with --wait, or kill it",
                exit_code=1,
            )
    click.echo("disconnected")
