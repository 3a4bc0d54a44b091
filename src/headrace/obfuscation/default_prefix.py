"""The spec pairs we ship, in the form of the configuration they stand in for.

`http-post` makes a connection an upload that gets an answer: a POST whose Content-Length covers whatever will
follow, and a 200 head of the same kind. Of the shapes measured this is the one that every HTTP classifier
takes for HTTP, both ways, and in which a strict parser finds nothing malformed. Two details are on purpose:

* The first 24 bytes decide the terminator, so they must vary: were they fixed, every connection to one
  server would carry the same 16 bytes behind its head. The request has 18 random characters there. The answer
  has room for five, in the name of its first header, in the style of a bot filter that does the same.
* A regular language cannot say the same thing twice, so no header repeats another's host: the origin is
  `null`, as a page with the no-referrer policy sends it. Host names are made of words, because random letters
  in one are themselves a warning sign to classifiers.

`printable` is the fallback where HTTP itself is filtered: six printable bytes, then what looks like noise.
"""

from headrace.obfuscation.prefix import PrefixSpecs

__all__ = ["CLIENT_SPECS", "DEFAULT_SPEC", "SERVER_SPECS", "default_prefixes", "default_server_prefixes"]

DEFAULT_SPEC = "http-post"

_END = r"\r\n"
_LENGTH = r"Content-Length: [1-9][0-9]{8}"
_HOST = (
    r"(static|media|files|upload|cdn|img|data|sync)[1-9]?\."
    r"(north|river|stone|maple|bright|silver|clear|open|swift|prime|blue|green)"
    r"(cloud|works|media|store|lab|host|drive|space|link|point)\.(com|net|org)"
)
_AGENT = (
    r"Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|Macintosh; Intel Mac OS X 10_15_7|X11; Linux x86_64)\) "
    r"AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/1(3[0-9]|4[0-3])\.0\.0\.0 Safari/537\.36"
)
_LANGUAGE = r"(en-US,en;q=0\.9|en-GB,en;q=0\.9|de-DE,de;q=0\.9,en;q=0\.8|fr-FR,fr;q=0\.9,en;q=0\.8)"

_REQUEST = _END.join(
    [
        r"POST /[A-Za-z0-9_-]{18,32}(/[a-z]{4,10})? HTTP/1\.1",
        "Host: " + _HOST,
        r"Connection: keep-alive",
        _LENGTH,
        r"User-Agent: " + _AGENT,
        r"Content-Type: application/octet-stream",
        r"Accept: \*/\*",
        r"Origin: null",
        r"Accept-Encoding: gzip, deflate",
        r"Accept-Language: " + _LANGUAGE,
        _END,
    ]
)
_ANSWER = _END.join(
    [
        r"HTTP/1\.1 200 OK",
        r"X-[A-Za-z0-9]{8}-[A-Fa-f]: [A-Za-z0-9_-]{16,48}",
        r"Server: nginx",
        r"Content-Type: application/octet-stream",
        _LENGTH,
        r"Connection: keep-alive",
        r"Cache-Control: (no-store|no-cache|private, max-age=0)",
        _END,
    ]
)

CLIENT_SPECS = {DEFAULT_SPEC: [["", _REQUEST]], "printable": [["", r"[ -~]{6}"]]}
SERVER_SPECS = {DEFAULT_SPEC: [["", _ANSWER]], "printable": [["", r"[ -~]{6}"]]}


def default_prefixes(probability: float = 1.0) -> PrefixSpecs:
    """Return the client's table: `http-post` on every port."""
    return PrefixSpecs.compile(
        _expressions(CLIENT_SPECS), names_by_port={"": [DEFAULT_SPEC]}, probability=probability
    )


def default_server_prefixes() -> PrefixSpecs:
    """Return the server's table."""
    return PrefixSpecs.compile(_expressions(SERVER_SPECS))


def _expressions(specs: dict[str, list[list[str]]]) -> dict[str, str]:
    return {name: expression for name, [[_, expression]] in specs.items()}
