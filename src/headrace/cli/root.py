"""The top of the command: its subcommands by name, and the one place where errors meet a person."""

import errno
import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from headrace import __version__
from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.cli.interrupts import QuietInterrupts

__all__ = ["LazyGroup", "main"]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed: `lazy` maps a name to "module:attribute"."""

    def __init__(self, *args: Any, lazy: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self._lazy if _is_here(self._lazy[name])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy or not _is_here(self._lazy[cmd_name]):
            return None
        module, _, attribute = self._lazy[cmd_name].partition(":")
        with QuietInterrupts():
            command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


def _is_here(place: str) -> bool:
    """Say whether a command is part of this installation: a client in one file has no others."""
    try:
        return importlib.util.find_spec(place.partition(":")[0]) is not None
    except ModuleNotFoundError:  # not even what it is in is here
        return False


@click.group(
    cls=LazyGroup,
    lazy={
        "connect": "headrace.cli.connect:connect",
        "status": "headrace.cli.status:status",
        "explain": "headrace.cli.explain:explain",
        "disconnect": "headrace.cli.disconnect:disconnect",
        "client": "headrace.cli.client:client",
        "system-proxy": "headrace.cli.system_proxy:system_proxy",
        "server": "headrace.cli.server:server",
        "entries": "headrace.cli.entries:entries",
        "lists": "headrace.cli.lists:lists",
        "authorizations": "headrace.cli.authorizations:authorizations",
        "network": "headrace.cli.network.group:network",
        "demo": "headrace.cli.demo:demo",
        "resist": "headrace.cli.resist:resist",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="headrace")
def headrace() -> None:
    """Carry traffic past censors: a client, a server, and a demonstration of both.

    \b
    headrace demo                                   see it work on this machine
    headrace server generate --help                 make a server of your own
    headrace connect --entry server-entry.dat       browse through it
    """


def main() -> None:
    """Run the command; a mistake of a person's ends in one line saying what to mend, and exit code 2."""
    try:
        sys.exit(headrace(standalone_mode=False))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "headrace"
        complain(f"{error.format_message()} See: {command} --help")
        sys.exit(2)
    except OperatorError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except DocumentError as error:
        complain(str(error))
        sys.exit(2)
    except NetworkError as error:  # whoever was asked on this machine has ended
        complain(str(error))
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        complain(f"what there is to write cannot be written: {error.strerror}; make room for it")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would be written once more at the end
        sys.exit(1)


def complain(text: str) -> None:
    """Say what went wrong, in one line."""
    click.echo(f"headrace: {' '.join(text.split())}", err=True)
