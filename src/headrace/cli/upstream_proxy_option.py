"""`--upstream-proxy`: the proxy to go through, for the commands that connect to something.

A URL may hold a password, and everybody on a machine can read command lines. So the option may come from the
environment instead, and a client in the background gets it that way only.
"""

import os
from collections.abc import Collection
from typing import Final

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.proxy_environment import AUTO, choose_proxy
from headrace.documents.upstream_proxy_url import ProxyURL

__all__ = ["VARIABLE", "chosen_proxy", "upstream_proxy_option"]

VARIABLE: Final = "HEADRACE_UPSTREAM_PROXY"
"""The option in the environment, which only one's own processes can read."""

upstream_proxy_option = click.option(
    "--upstream-proxy",
    metavar="URL|auto|none",
    envvar=VARIABLE,
    show_envvar=True,
    help="A proxy to go through, like socks5://127.0.0.1:1080; auto: the one that https_proxy names.",
)


def chosen_proxy(wanted: str | None, configured: str, own_ports: Collection[int] = ()) -> str:
    """Return the URL of the proxy to use, or "" for none; the environment forgets what the option was.

    Raises OperatorError, which repeats nothing of a URL.
    """
    os.environ.pop(VARIABLE, None)
    try:
        url = choose_proxy(wanted or "", configured, os.environ, own_ports)
        if url:
            ProxyURL.parse(url)
    except DocumentError as error:
        what = "" if wanted == AUTO else "--upstream-proxy " if wanted else "UpstreamProxyURL "
        raise OperatorError(f"{what}{error}") from None
    return url
