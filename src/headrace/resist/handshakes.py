"""Direct TLS handshakes with ordinary websites: Python's, curl's, OpenSSL's and a browser's.

They go to the sites of `websites`, which differ in their certificates, their version of TLS and that of HTTP.
"""

from collections.abc import Sequence
from ssl import TLSVersion
from typing import Final

from headrace.base.rng import Rng
from headrace.net.dial import dial
from headrace.net.streams import ByteStream, SocketStream
from headrace.resist.commands import Asked, browse, run
from headrace.resist.pages import SMALL, load_page
from headrace.resist.websites import SIZES, TlsSite, trusting

__all__ = ["browse_sites", "connect_directly", "shake_hands"]

#: Seconds for a connection on loopback.
PATIENCE: Final = 10.0


async def connect_directly(port: int) -> ByteStream:
    """Open a stream to a loopback port, with nothing between."""
    return await dial("127.0.0.1", port, SocketStream, PATIENCE)


async def shake_hands(site: TlsSite, rng: Rng) -> None:
    """Make one connection to a site, by any program but the browser, that knows TLS 1.3 or not."""
    program = rng.between(1, 10)
    old = site.version is TLSVersion.TLSv1_2 and rng.chance(0.7)
    if program <= 6:
        newest = TLSVersion.TLSv1_2 if old else TLSVersion.TLSv1_3
        await load_page(connect_directly, site.port, trusting(newest), rng)
    elif program <= 9:
        url = f"https://127.0.0.1:{site.port}/{SIZES[rng.between(0, SMALL)]}"
        newest_words = ["--tls-max", "1.2"] if old else []
        await run(
            "curl", "-sk", "-o", "/dev/null", "-A", "Mozilla/5.0 (X11; Linux x86_64)", *newest_words, url
        )
    else:
        asked = f"GET /{SIZES[0]} HTTP/1.0\r\nHost: www.example.com\r\n\r\n".encode()
        words = ["-quiet", "-connect", f"127.0.0.1:{site.port}", "-servername", "www.example.com"]
        await run("openssl", "s_client", *words, *(["-tls1_2"] if old else []), stdin=asked)


async def browse_sites(sites: Sequence[TlsSite], count: int, rng: Rng) -> None:
    """Have a browser make `count` connections, each to another host that is one of the sites."""
    asked = (
        Asked(f"https://host{number}.example.com:{rng.choice(sites).port}/{SIZES[rng.between(0, SMALL)]}")
        for number in range(count)
    )
    await browse([one] for one in asked)
