"""Which upstream proxy the environment names, as it does for other programs: `https_proxy`, `all_proxy`.

    https_proxy=http://proxy.example:8080     all_proxy=socks5h://127.0.0.1:9050

What is wanted of `--upstream-proxy` comes here too: a URL, `auto` for the environment's, or `none`.
"""

import ipaddress
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from headrace.base.errors import DocumentError
from headrace.documents.upstream_proxy_url import ProxyURL

__all__ = ["AUTO", "NONE", "choose_proxy", "proxy_from_environment"]

#: Values of the option that are no URLs.
AUTO, NONE = "auto", "none"

#: In order; where both spellings are set, the lower case one counts, as in curl.
VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
#: What others call the schemes, and the port that is meant if none is written.
_SCHEMES: Final = {
    "http": ("http", 80),
    "socks": ("socks5", 1080),
    "socks4": ("socks4a", 1080),
    "socks4a": ("socks4a", 1080),
    "socks5": ("socks5", 1080),
    "socks5h": ("socks5", 1080),
}


def choose_proxy(wanted: str, configured: str, environ: Mapping[str, str], own_ports: Collection[int]) -> str:
    """Return the URL to use, or "" for none: what is `wanted` on the command line, else the `configured` one.

    What is wanted may be written as variables are, like `socks5h://proxy.example`.
    Raises DocumentError, which names the environment's variable but does not repeat what is in it.
    """
    if wanted == NONE:
        return ""
    if wanted == AUTO:
        return proxy_from_environment(environ, own_ports)
    return _completed(wanted) if wanted else configured


def proxy_from_environment(environ: Mapping[str, str], own_ports: Collection[int]) -> str:
    """Return the URL of the proxy that `environ` names, or "".

    A value that means one of our own local proxies, which listen on `own_ports`, is passed over: connections
    would go round in circles. `no_proxy` counts only if it is `*`, for servers have no names.
    Raises DocumentError for a value that cannot be used.
    """
    if "*" in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").replace(",", " ").split():
        return ""
    for variable in VARIABLES:
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            url = _completed(text)
            proxy = ProxyURL.parse(url)
        except DocumentError as error:
            raise DocumentError(f"the environment variable {variable} {error}") from None
        if not (proxy.port in own_ports and _is_here(proxy.host)):
            return url
    return ""


def _completed(text: str) -> str:
    """Write a variable's value as `UpstreamProxyURL` has it: with a scheme of ours, and a port."""
    text = text if "://" in text else f"http://{text}"
    scheme, _, rest = text.partition("://")
    known = _SCHEMES.get(scheme.lower())
    if known is None:
        raise DocumentError(f"must begin with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
    scheme, default_port = known
    authority = rest.rstrip("/")
    try:
        port = urlsplit(f"//{authority}").port
    except ValueError:
        raise DocumentError("is not a URL: write for instance http://proxy.example:8080") from None
    return f"{scheme}://{authority}" if port is not None else f"{scheme}://{authority}:{default_port}"


def _is_here(host: str) -> bool:
    """Whether a host is this machine, as far as its name tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)
