"""`headrace system-proxy`: the desktop's settings that a client has changed, and putting them back."""

import sys
from typing import Final

import click
import msgspec

from headrace.base.errors import OperatorError
from headrace.client.system_proxy import user_settings
from headrace.desktop.system_proxy import InUse

__all__ = ["system_proxy"]

#: Exit codes by state, like those of "headrace status".
_CODES: Final = {"in use": 0, "left behind": 1, "unchanged": 3}


@click.group("system-proxy")
def system_proxy() -> None:
    """Ask for the desktop's proxy settings that a client has changed, or put them back.

    \b
    headrace connect --config client.config --system-proxy auto
    headrace system-proxy status
    """


@system_proxy.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
def status(as_json: bool) -> None:
    """Say whether the desktop's programs have been made to use a client's proxies.

    The exit code is 0 if they have, 1 if that client was killed and has left its proxies behind, and 3 if
    nothing is changed.

    \b
    headrace system-proxy status
    """
    settings = user_settings()
    record = settings.changed()
    process = settings.holder() if record is not None else None
    desktop = record.desktop if record is not None else ""
    state = "unchanged" if record is None else "left behind" if process is None else "in use"
    if as_json:
        told = {"state": state, "desktop": desktop, "process": process}
        click.echo(msgspec.json.encode(told).decode())
    elif state == "in use":
        click.echo(f"in use: the {desktop} settings name the proxies of process {process}")
    elif state == "left behind":
        click.echo(f"left behind: the {desktop} settings name the proxies of a client that was killed")
        click.echo("headrace system-proxy restore puts back what was there before")
    else:
        click.echo("unchanged: no client's proxies are in the desktop's settings")
    sys.exit(_CODES[state])


@system_proxy.command()
def restore() -> None:
    """Put back the desktop's proxy settings that a client has left behind because it was killed.

    The next client that starts does the same. What somebody has changed meanwhile is left as it is.

    \b
    headrace system-proxy restore
    """
    settings = user_settings()
    try:
        with settings.held():
            restored = settings.restore()
    except InUse as error:
        raise OperatorError(
            f"{error.who} has them in use, and puts them back when it ends", exit_code=1
        ) from None
    click.echo("put back" if restored else "there is nothing to put back")
