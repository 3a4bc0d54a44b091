"""Where a server's files are: the options that commands for servers share."""

from pathlib import Path

import click

__all__ = ["config_option", "data_option"]

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
