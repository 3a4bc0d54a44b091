"""The pages that the HTTP proxy has itself: what it is, and how browsers find both proxies.

There is no secret in them: they are for anybody who may ask, password or not.
"""

from typing import Final, NamedTuple

from headrace.client.own_site import OwnSite
from headrace.client.pac import PAC_TYPE, auto_configuration

__all__ = ["Page", "own_page"]

_HOME: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>headrace</title>
<h1>headrace</h1>
<p>This is the local proxy of headrace: what programs ask of it goes through the tunnel.</p>
<dl>
<dt>HTTP proxy<dd>{http}
<dt>SOCKS proxy<dd>{socks}
<dt>Automatic configuration<dd>{url}/proxy.pac
</dl>
<p>Enter one of them where a program has its proxy settings. With SOCKS, let the proxy look names up.</p>
"""


class Page(NamedTuple):
    text: str
    kind: str  #: as Content-Type says it


def own_page(path: str, site: OwnSite, socks_port: int | None) -> Page | None:
    """Return the page at a path, None if there is none; `site` is where the proxy was found."""
    http = f"{site.host}:{site.port}"
    socks = f"{site.host}:{socks_port}" if socks_port else ""
    if path == "/":
        text = _HOME.format(http=http, socks=socks or "none", url=site.url)
        return Page(text, "text/html; charset=utf-8")
    if path in ("/proxy.pac", "/wpad.dat"):
        return Page(auto_configuration(http, socks), PAC_TYPE)
    return None
