"""Heads of HTTP messages as real programs write them, as regular expressions in Go's syntax.

Each program has its own order of headers, its own letter case, and things that it alone says. A request is
one of several programs'; which of them can make it depends on what follows: a browser, for one, cannot send a
body whose length it does not know. Two details are on purpose:

* The first 24 bytes decide the terminator, so they must vary: were they fixed, every connection to one
  server would carry the same 16 bytes behind its head. A request has 18 random characters there. An answer
  has room for five, in the name of its first header, in the style of a bot filter that does the same.
* A regular language cannot say the same thing twice: no header repeats another's host, and the origin is
  `null`, as a page with the no-referrer policy sends it. Nor can it know the port or the time, without which
  no program sends a request to an uncommon port, and no web server answers: `with_port` and `with_date` add
  them. Host names are made of words, because random letters in one are themselves a warning sign to
  classifiers.
"""

import re
from email.utils import formatdate
from typing import Final

__all__ = ["CHUNKED", "CHUNKED_POST", "GET", "LARGE", "POST", "answer", "with_date", "with_port"]

#: Framing that covers whatever follows: 100 MB and more, or chunks.
LARGE: Final = r"Content-Length: [1-9][0-9]{8}"
CHUNKED: Final = "Transfer-Encoding: chunked"

#: Long as addresses with a token are, and of many lengths: the size of a head is what everybody can see.
_PATH: Final = (
    r"/[A-Za-z0-9_-]{19,32}(/[a-z]{4,10})?"
    r"\?(token|key|sig|session|upload_id|part)=[A-Za-z][A-Za-z0-9]{22,270}"
)
#: No digits: in front of a port, nDPI takes them for a sign of a name that a program made up.
_HOST: Final = (
    r"(static|media|files|upload|cdn|img|data|sync|assets|content|photos|archive|backup|share|video|store)\."
    r"(north|river|stone|maple|bright|silver|clear|open|swift|prime|blue|green)"
    r"(cloud|works|media|store|lab|host|drive|space|link|point)\.(com|net|org)"
)
_OCTETS: Final = "Content-Type: application/octet-stream"
_CHROME_LANGUAGE: Final = (
    r"(en-US,en;q=0\.9|en-GB,en-US;q=0\.9,en;q=0\.8|(de-DE,de|fr-FR,fr);q=0\.9,en-US;q=0\.8,en;q=0\.7)"
)
_FIREFOX_LANGUAGE: Final = (
    r"(en-US,en;q=0\.5|en-GB,en;q=0\.5|de,en-US;q=0\.7,en;q=0\.3|fr,fr-FR;q=0\.8,en-US;q=0\.5,en;q=0\.3)"
)
_SAFARI_LANGUAGE: Final = r"(en-US,en|en-GB,en|de-DE,de|fr-FR,fr);q=0\.9"
_CHROME: Final = (
    r"Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|Macintosh; Intel Mac OS X 10_15_7|X11; Linux x86_64)\) "
    r"AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/1(3[6-9]|4[0-4])\.0\.0\.0 Safari/537\.36"
)
_FIREFOX: Final = "({})".format(
    "|".join(
        r"Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|X11; Linux x86_64); "
        rf"rv:{version}\.0\) Gecko/20100101 Firefox/{version}\.0"
        for version in range(138, 146)
    )
)
_SAFARI: Final = (
    r"Mozilla/5\.0 \(Macintosh; Intel Mac OS X 10_15_7\) AppleWebKit/605\.1\.15 \(KHTML, like Gecko\) "
    r"Version/(18\.[3-6]|26\.[01]) Safari/605\.1\.15"
)
_OKHTTP: Final = r"okhttp/(4\.1[0-2]\.0|5\.[01]\.0)"


def _head(*lines: str) -> str:
    return r"\r\n".join([*lines, r"\r\n"])


def _one_of(*heads: str) -> str:
    return "({})".format("|".join(heads))


def _chrome_post() -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        "Connection: keep-alive",
        LARGE,
        f"User-Agent: {_CHROME}",
        _OCTETS,
        r"Accept: \*/\*",
        "Origin: null",
        "Accept-Encoding: gzip, deflate",
        f"Accept-Language: {_CHROME_LANGUAGE}",
    )


def _firefox_post() -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        f"User-Agent: {_FIREFOX}",
        r"Accept: \*/\*",
        f"Accept-Language: {_FIREFOX_LANGUAGE}",
        "Accept-Encoding: gzip, deflate",
        _OCTETS,
        LARGE,
        "Origin: null",
        "Connection: keep-alive",
    )


def _safari_post() -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        _OCTETS,
        "Origin: null",
        "Connection: keep-alive",
        r"Accept: \*/\*",
        f"User-Agent: {_SAFARI}",
        LARGE,
        f"Accept-Language: {_SAFARI_LANGUAGE}",
        "Accept-Encoding: gzip, deflate",
    )


def _okhttp_post(framing: str) -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        _OCTETS,
        framing,
        f"Host: {_HOST}",
        "Connection: Keep-Alive",
        "Accept-Encoding: gzip",
        f"User-Agent: {_OKHTTP}",
    )


def _requests_post(framing: str) -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        r"User-Agent: python-requests/2\.(31\.0|32\.[3-5])",
        "Accept-Encoding: gzip, deflate(, br|, zstd|, br, zstd)?",
        r"Accept: \*/\*",
        "Connection: keep-alive",
        framing,
    )


def _go_post(framing: str) -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        r"User-Agent: Go-http-client/1\.1",
        framing,
        _OCTETS,
        "Accept-Encoding: gzip",
    )


def _node_post() -> str:
    return _head(
        f"POST {_PATH} HTTP/1\\.1",
        f"host: {_HOST}",
        "connection: keep-alive",
        r"content-type: application/octet-stream",
        r"accept: \*/\*",
        r"accept-language: \*",
        "sec-fetch-mode: cors",
        "user-agent: node",
        "accept-encoding: gzip, deflate",
        "transfer-encoding: chunked",
    )


def _chrome_get() -> str:
    return _head(
        f"GET {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        f"User-Agent: {_CHROME}",
        r"Accept: text/html,application/xhtml\+xml,application/xml;q=0\.9,image/avif,image/webp,image/apng,"
        r"\*/\*;q=0\.8,application/signed-exchange;v=b3;q=0\.7",
        "Accept-Encoding: gzip, deflate",
        f"Accept-Language: {_CHROME_LANGUAGE}",
    )


def _firefox_get() -> str:
    return _head(
        f"GET {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        f"User-Agent: {_FIREFOX}",
        r"Accept: text/html,application/xhtml\+xml,application/xml;q=0\.9,\*/\*;q=0\.8",
        f"Accept-Language: {_FIREFOX_LANGUAGE}",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        "Priority: u=0, i",
    )


def _curl_get() -> str:
    return _head(
        f"GET {_PATH} HTTP/1\\.1",
        f"Host: {_HOST}",
        r"User-Agent: curl/(7\.88\.1|8\.(5\.0|[79]\.1|1[0-24]\.[01]|1[356]\.0))",
        r"Accept: \*/\*",
    )


#: Requests whose body is larger than anything that follows.
POST: Final = _one_of(
    _chrome_post(),
    _firefox_post(),
    _safari_post(),
    _okhttp_post(LARGE),
    _requests_post(LARGE),
    _go_post(LARGE),
)
#: Requests whose body comes in chunks, from programs that can.
CHUNKED_POST: Final = _one_of(_okhttp_post(CHUNKED), _requests_post(CHUNKED), _go_post(CHUNKED), _node_post())
#: Requests without a body.
GET: Final = _one_of(_chrome_get(), _firefox_get(), _curl_get())

#: A body that ends is looked into: only of these types nothing can be expected.
_SHAPELESS: Final = "(application|binary)/octet-stream"
_TYPES: Final = "(application/octet-stream|application/json|video/mp4)"


def answer(framing: str) -> str:
    """Return the head of a 200 with this framing, as one of two web servers writes it."""
    types = _SHAPELESS if framing == CHUNKED else _TYPES
    start = r"HTTP/1\.1 200 OK", r"X-[A-Za-z0-9]{8}-[A-Fa-f]: [A-Za-z0-9_-]{16,270}"
    return _one_of(
        _head(
            *start,
            r"Server: nginx(/1\.(22\.[01]|24\.0|26\.[0-3]|27\.[0-5]|28\.0|29\.[0-3]))?",
            f"Content-Type: {types}",
            framing,
            "Connection: keep-alive",
            "Cache-Control: (no-store|no-cache|private, max-age=0)",
        ),
        _head(
            *start,
            r"Server: Apache(/2\.4\.(5[2-9]|6[0-5]) \(Unix\)|/2\.4\.(5[4679]|6[1-5]) \(Debian\)"
            r"|/2\.4\.(5[2578]|6[2-4]) \(Ubuntu\))?",
            "Cache-Control: (no-store|no-cache|private)",
            framing,
            "Keep-Alive: timeout=5, max=(100|[5-9][0-9])",
            "Connection: Keep-Alive",
            f"Content-Type: {types}",
        ),
    )


_HOST_LINE: Final = re.compile(rb"\r\n[Hh]ost: [^\r\n]+")
_SERVER_LINE: Final = re.compile(rb"\r\nServer: (nginx|Apache)[^\r\n]*")


def with_port(head: bytes, port: int) -> bytes:
    """Return the head of a request to this port: programs name it behind the host, unless it is 80."""
    return head if port == 80 else _HOST_LINE.sub(rb"\g<0>:%d" % port, head, count=1)


def with_date(head: bytes, now: float) -> bytes:
    """Return the head of an answer that is given `now`, in seconds since 1970.

    A date is what every web server says (RFC 9110 §6.6.1): nginx behind its name, Apache before it.
    """
    date = b"\r\nDate: " + formatdate(now, usegmt=True).encode()

    def beside(server: re.Match[bytes]) -> bytes:
        return server[0] + date if server[1] == b"nginx" else date + server[0]

    return _SERVER_LINE.sub(beside, head, count=1)
