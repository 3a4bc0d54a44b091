"""The proxy auto-configuration file: how browsers are told to use both proxies, by one address.

It never looks a name up, as most such files do: to look a name up is to tell of it. What only this machine or
its network can reach goes there directly; for everything else there is no way past the proxies, if they are
down neither. Hosts that are not to be tunnelled are the proxies' business, which know the way out.
"""

from typing import Final

__all__ = ["PAC_TYPE", "auto_configuration"]

PAC_TYPE: Final = "application/x-ns-proxy-autoconfig"

# Whole literals only: `10.example.org` is no private address. A plain name has a letter first, for 134744072
# is an address too.
_TEXT: Final = """\
function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\\[|\\]$/g, "");
  if (/^[a-z][a-z0-9-]*$/.test(host) || /\\.local(host)?$/.test(host))
    return "DIRECT";
  if (/^(10|127)(\\.\\d{1,3}){3}$/.test(host) || /^(192\\.168|169\\.254)(\\.\\d{1,3}){2}$/.test(host) ||
      /^172\\.(1[6-9]|2\\d|3[01])(\\.\\d{1,3}){2}$/.test(host))
    return "DIRECT";
  if (/^(::1|f[cd][0-9a-f]{2}:[0-9a-f:.]*|fe[89ab][0-9a-f]:[0-9a-f:.]*)$/.test(host))
    return "DIRECT";
  return "%s";
}
"""


def auto_configuration(http: str, socks: str) -> str:
    """Return the file, in JavaScript, for proxies at these `host:port`; `socks` is empty if there is none.

    HTTP comes first: some browsers look names up themselves for SOCKS, and none can log in to it.
    """
    return _TEXT % "; ".join([f"PROXY {http}", *([f"SOCKS5 {socks}"] if socks else [])])
