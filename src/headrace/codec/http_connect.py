"""HTTP CONNECT as a client speaks it to a proxy, with a log-in if the proxy wants one (RFC 9110 §9.3.6).

h11 parses; this module decides. A further way to log in is a class like `Basic` and a line in `_METHODS`.
Source for the order of things: client spec §3.
"""

import base64
import ipaddress
from typing import Final, Protocol

import h11

from headrace.base.errors import NetworkError
from headrace.codec.negotiation import CLOSED, Connected, Negotiation, Reconnect, Refused, Send, Step

__all__ = ["Basic", "HttpConnect", "Login"]

#: Letters of a host name.
MAX_NAME: Final = 255
#: Bytes of an answer's head, and of the page that explains a 407: a longer one is not waited for.
MAX_HEAD, MAX_PAGE = 64 * 1024, 64 * 1024


class Login(Protocol):
    """A way to log in, for one destination."""

    def answer(self, challenge: str, target: str) -> str | None:
        """Return the Proxy-Authorization of a request for `target`, None when there is no point in going on.

        `challenge` is the Proxy-Authenticate that names this way.
        """
        ...


class Basic:
    """User name and password as they are (RFC 7617): said once."""

    def __init__(self, user: str, password: str) -> None:
        self._token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._said = False

    def answer(self, challenge: str, target: str) -> str | None:
        if self._said:
            return None
        self._said = True
        return f"Basic {self._token}"


#: By the name in Proxy-Authenticate, the preferred one first.
_METHODS: Final = {"basic": Basic}

_WRONG_LOGIN: Final = Refused("the upstream proxy does not accept the user name and password")


class HttpConnect(Negotiation):
    """Asks an HTTP proxy for `host`:`port`. Raises NetworkError for what no host can be called.

    Names are ASCII: what has other letters is in Punycode by now.
    """

    def __init__(self, host: str, port: int, user: str = "", password: str = "") -> None:
        self._target = _authority(host, port)
        self._user = user
        self._password = password
        self._method = ""
        self._login: Login | None = None
        self._authorization = ""
        self._challenged = False
        self._page = 0
        self._http = self._fresh()
        self._request()  # whether h11 takes the name is known here, not in the middle

    def start(self) -> bytes:
        self._http = self._fresh()
        return self._request()

    @staticmethod
    def _fresh() -> h11.Connection:
        return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    def _request(self) -> bytes:
        headers = [("Host", self._target)]
        if self._authorization:
            headers.append(("Proxy-Authorization", self._authorization))
        try:
            request = h11.Request(method="CONNECT", target=self._target, headers=headers)
        except h11.LocalProtocolError as error:
            raise NetworkError("no host has such a name") from error
        self._challenged, self._page = False, 0
        data = self._http.send(request)
        assert data is not None
        self._http.send(h11.EndOfMessage())
        return data

    def receive(self, data: bytes) -> list[Step]:
        steps: list[Step] = []
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                step = self._take(event)
                if step is not None:
                    steps.append(step)
                    if not isinstance(step, Send):
                        break
        except h11.RemoteProtocolError:
            if data:
                steps.append(Refused("the upstream proxy does not answer as HTTP should"))
            else:
                steps.append(Reconnect() if self._challenged else CLOSED)
        return steps

    def _take(self, event: object) -> Step | None:
        if isinstance(event, h11.Response):
            return self._respond(event)
        if isinstance(event, h11.InformationalResponse):
            return None
        if isinstance(event, h11.Data):
            self._page += len(event.data)
            return Reconnect() if self._page > MAX_PAGE else None
        # The end of a 407's page, or of the connection.
        return self._again() if self._challenged else CLOSED

    def _respond(self, response: h11.Response) -> Step | None:
        status = response.status_code
        if status == 200:
            return Connected(bytes(self._http.trailing_data[0]))
        if status == 401 and self._authorization:
            return _WRONG_LOGIN  # what some proxies say in place of a second 407
        if status != 407:
            return Refused(f"the upstream proxy answered with status {status}")
        if not self._user:
            return Refused(
                "the upstream proxy wants a user name and password: write them into UpstreamProxyURL"
            )
        self._challenged = True
        challenges = dict(_challenges(response))
        if self._login is None:
            self._method = next((method for method in _METHODS if method in challenges), "")
            if not self._method:
                return Refused("the upstream proxy offers no way to log in by a user name and password")
            self._login = _METHODS[self._method](self._user, self._password)
        authorization = self._login.answer(challenges.get(self._method, ""), self._target)
        if authorization is None:
            return _WRONG_LOGIN
        self._authorization = authorization
        headers = dict(response.headers)
        closing = headers.get(b"proxy-connection", b"").lower() == b"close"
        endless = not headers.keys() & {b"content-length", b"transfer-encoding"}
        return Reconnect() if closing or endless or self._http.our_state is h11.MUST_CLOSE else None

    def _again(self) -> Step:
        """Ask once more, on the same connection."""
        self._http.start_next_cycle()
        return Send(self._request())


def _challenges(response: h11.Response) -> list[tuple[str, str]]:
    """Return the ways to log in by their lower-case names, each with the header that names it."""
    found = []
    for name, value in response.headers:
        if name == b"proxy-authenticate":
            text = value.decode("latin-1")
            # Several may share a header, but a comma stands between parameters as well, which have "=".
            words = (part.strip().partition(" ")[0] for part in text.split(","))
            found += [(word.lower(), text) for word in words if "=" not in word]
    return found


def _authority(host: str, port: int) -> str:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if not 0 < len(host) <= MAX_NAME or not host.isascii():
            raise NetworkError("no host has such a name") from None
        return f"{host}:{port}"
    return f"[{literal}]:{port}" if literal.version == 6 else f"{literal}:{port}"
