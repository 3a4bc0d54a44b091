"""`headrace server check`: what there is to mend before a server is run."""

import sys
import time
from pathlib import Path

import click
import msgspec

from headrace.cli.server_place import config_option, data_option
from headrace.cli.words import printable

__all__ = ["CLEAN", "ERRORS", "WARNINGS", "check"]

CLEAN, WARNINGS, ERRORS = 0, 1, 2
"""Exit codes: nothing to mend, nothing that keeps the server from running, something that does."""


@click.command()
@config_option
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects for programs.")
def check(config: Path, data_directory: Path | None, as_json: bool) -> None:
    """Say everything that is wrong with a server's configuration and with the files it names.

    An error keeps the server from starting; a warning is of something that it was hardly meant to do.
    The exit code is 0 if there is nothing to mend, 1 if there are warnings only, and 2 if there are errors.

    \b
    headrace server check --config my-server/psiphond.config
    """
    from headrace.server.check import check_server
    from headrace.server.findings import Level

    findings = check_server(config, data_directory, time.time())
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            click.echo(printable(f"{finding.level}: {finding}"))
        if not findings:
            click.echo(f"{config} and the files it names are in order")
    errors = any(finding.level is Level.ERROR for finding in findings)
    sys.exit(ERRORS if errors else WARNINGS if findings else CLEAN)
