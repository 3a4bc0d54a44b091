"""Where a server's files are, and with them the running server: the options that its commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.base.errors import NetworkError, OperatorError

if TYPE_CHECKING:
    from headrace.server.control_client import RunningServer

__all__ = ["NOT_RUNNING", "config_option", "data_option", "running_server", "which_server"]

NOT_RUNNING = 3
"""The exit code that service managers' commands have for it."""

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    required=True,
    help="Configuration file, as made by `generate` or by the stock server.",
)
data_option = click.option(
    "--data-directory",
    type=click.Path(path_type=Path),
    help="Where to remember what must survive a restart; the configuration's directory by default.",
)


def which_server(command: Any) -> Any:
    """Give a command the options that say which running server is meant."""
    for option in (
        click.option("--data-directory", type=click.Path(path_type=Path), help="Its data directory."),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="Its configuration file, where it was given no data directory.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def running_server(config: Path | None, data_directory: Path | None) -> "Iterator[RunningServer]":
    """Give the running server during the block. Raises OperatorError if there is none, or no answer."""
    from headrace.server.control_client import find_server

    if config is None and data_directory is None:
        raise OperatorError("which server? Name its --data-directory, or its --config")
    directory = data_directory or (config or Path()).parent
    try:
        server = find_server(directory)
        if server is None:
            raise OperatorError(f"no server with the data directory {directory} is running", NOT_RUNNING)
        with server:
            yield server
    except NetworkError as error:
        raise OperatorError(str(error), exit_code=1) from error
