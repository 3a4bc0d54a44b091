"""Options of a client that stand for fields of its configuration, and win over them.

A password is in none but `--proxy-user`, which may come from the environment instead: everybody on a machine
can read command lines.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from headrace.base.errors import OperatorError

__all__ = ["config_options", "given_fields"]

F = TypeVar("F", bound=Callable[..., Any])

_USER_VARIABLE: Final = "HEADRACE_PROXY_USER"
_PORT: Final = click.IntRange(0, 65535)

#: Named as the fields are.
_FIELDS: Final = (
    click.option(
        "--socks-port", "LocalSocksProxyPort", type=_PORT, help="Port of the local SOCKS proxy, 0 for any."
    ),
    click.option(
        "--http-port", "LocalHttpProxyPort", type=_PORT, help="Port of the local HTTP proxy, 0 for any."
    ),
    click.option(
        "--port-attempts",
        "LocalProxyPortAttempts",
        type=click.IntRange(1, 100),
        help="How many ports to try, from those on, where other programs have them.",
    ),
    click.option(
        "--listen-interface",
        "ListenInterface",
        help='Where to listen: "" for this machine only, "any" for everybody.',
    ),
    click.option(
        "--bind-interface",
        "BindInterface",
        help="The network interface that the client's own connections leave by.",
    ),
    click.option(
        "--split-own-region",
        "SplitTunnelOwnRegion",
        is_flag=True,
        help="Connect to hosts of the country you are in without the tunnel.",
    ),
    click.option(
        "--split-region",
        "SplitTunnelRegions",
        multiple=True,
        metavar="COUNTRY",
        help="Connect to hosts of this country without the tunnel.",
    ),
    click.option(
        "--exclude",
        "SplitTunnelExcludedHosts",
        multiple=True,
        metavar="HOST",
        help="Connect to this host without the tunnel: a name, *.DOMAIN, an address or a network.",
    ),
    click.option(
        "--data-root-directory",
        "DataRootDirectory",
        type=click.Path(),
        help="Where the client keeps its files.",
    ),
)
#: These stand for several fields each.
_OTHERS: Final = (
    click.option(
        "--unix-sockets",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help="Listen on Unix sockets in this directory instead of on ports.",
    ),
    click.option(
        "--proxy-user",
        metavar="NAME:PASSWORD",
        envvar=_USER_VARIABLE,
        show_envvar=True,
        help="Who may use the local proxies; without it, whoever reaches them.",
    ),
)


def config_options(command: F) -> F:
    """Give a command the options."""
    for option in reversed(_FIELDS + _OTHERS):
        command = option(command)
    return command


def given_fields(options: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields that the options give; the environment forgets the password.

    Raises OperatorError, which does not repeat it.
    """
    os.environ.pop(_USER_VARIABLE, None)
    fields: dict[str, object] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if name[0].isupper() and not (value is None or value is False or value == ())
    }
    if (directory := options["unix_sockets"]) is not None:
        directory = directory.absolute()
        fields["UseUnixDomainSockets"] = True
        fields["LocalSocksProxyUnixPath"] = str(directory / "socks")
        fields["LocalHttpProxyUnixPath"] = str(directory / "http")
    if (user := options["proxy_user"]) is not None:
        name, colon, password = user.partition(":")
        if not (name and colon and password):
            raise OperatorError("--proxy-user: write a name, a colon and a password")
        fields["LocalProxyUsername"], fields["LocalProxyPassword"] = name, password
    return fields
