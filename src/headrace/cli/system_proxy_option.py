"""`--system-proxy`: whose programs are to use the local proxies, for the commands that start a client."""

import click

from headrace.desktop.choice import CHOICES, OFF

__all__ = ["system_proxy_option"]

system_proxy_option = click.option(
    "--system-proxy",
    type=click.Choice(CHOICES),
    default=OFF,
    show_default=True,
    help="Whose programs are to use the proxies from the first tunnel on; auto: this desktop's.",
)
