"""HTTP CONNECT as a client speaks it to a proxy, with a log-in if the proxy wants one (RFC 9110 §9.3.6).

    CONNECT ──► 200: connected
            ├─► 407: once more, as `http_login` says, on this connection or on another
            └─► anything else is the end

h11 parses; this module decides. Source for the order of things: client spec §3.
"""

from collections.abc import Sequence
from typing import Final

import h11

from headrace.base.rng import Rng
from headrace.codec.host_names import authority
from headrace.codec.http_challenges import parse_challenges
from headrace.codec.http_login import HttpLogin
from headrace.codec.http_login_way import Identity
from headrace.codec.negotiation import (
    CLOSED,
    WRONG_LOGIN,
    Connected,
    Negotiation,
    Reconnect,
    Refused,
    Send,
    Step,
)

__all__ = ["HttpConnect"]

#: Bytes of an answer's head, and of the page that explains a 407: a longer one is not waited for.
MAX_HEAD, MAX_PAGE = 64 * 1024, 64 * 1024
#: Requests of one negotiation: NTLM takes three, a stale nonce one more, the fall to a weaker way another.
MAX_REQUESTS: Final = 8

#: What people can do about an answer. Other answers have a remedy for all of them.
_REMEDIES: Final = {
    403: "it does not allow this connection; ask its operator which ports may be connected to",
    404: "it does not know CONNECT; use a proxy that does",
    405: "it does not know CONNECT; use a proxy that does",
    501: "it does not know CONNECT; use a proxy that does",
    502: "it could not connect; another server may be in reach",
    503: "it could not connect; another server may be in reach",
    504: "it could not connect; another server may be in reach",
}
_ANY_REMEDY: Final = "check that its URL is that of a proxy that lets you connect"


class HttpConnect(Negotiation):
    """Asks an HTTP proxy for `host`:`port`. Raises NetworkError for what no host can be called.

    `headers`, which documents.custom_headers has found good, go with every request; a Host among them takes
    the place of ours, and the destination stays.
    """

    def __init__(
        self, host: str, port: int, identity: Identity, rng: Rng, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._target = authority(host, port)
        self._headers = headers
        self._login = HttpLogin(identity, rng)
        self._count = 0
        self._challenged = self._logging_in = self._heard = False
        self._page = 0
        self._http = _fresh()

    def start(self) -> bytes:
        self._login.reconnected()
        self._http = _fresh()
        self._heard = True  # an end without an answer is one, this early
        return self._request()

    def _request(self) -> bytes:
        self._count += 1
        self._challenged, self._page = False, 0
        return self._write(self._login.authorization(self._target))

    def _write(self, authorization: str) -> bytes:
        own = [(name, value) for name, value in self._headers if name.lower() != "host"]
        host = next((value for name, value in self._headers if name.lower() == "host"), self._target)
        headers = [("Host", host), *own]
        if authorization:
            headers = [header for header in headers if header[0].lower() != "proxy-authorization"]
            headers.append(("Proxy-Authorization", authorization))
        self._logging_in = bool(authorization)
        request = h11.Request(
            method="CONNECT",
            target=self._target,
            headers=[(name.encode(), value.encode(*_TEXT)) for name, value in headers],
        )
        data = self._http.send(request)
        assert data is not None
        self._http.send(h11.EndOfMessage())
        return data

    def receive(self, data: bytes) -> list[Step]:
        steps: list[Step] = []
        self._heard |= bool(data)
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                step = self._take(event)
                if step is not None:
                    steps.append(step)
                    if not isinstance(step, Send):
                        break
        except h11.RemoteProtocolError:
            steps.append(_GARBAGE if data else self._ended())
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
        return self._again() if isinstance(event, h11.EndOfMessage) else self._ended()

    def _respond(self, response: h11.Response) -> Step | None:
        status = response.status_code
        if status == 200:
            return Connected(bytes(self._http.trailing_data[0]))
        if status == 401 and self._logging_in:
            return WRONG_LOGIN  # what some proxies say in place of a second 407
        if status != 407:
            remedy = _REMEDIES.get(status, _ANY_REMEDY)
            return Refused(f"the upstream proxy answered with status {status}: {remedy}")
        if self._count >= MAX_REQUESTS:
            return Refused("the upstream proxy asks for the log-in again and again: it may be broken")
        self._challenged = True
        closing = _closes(response)
        offered = [value.decode(*_TEXT) for name, value in response.headers if name == _CHALLENGE]
        refusal = self._login.challenged(parse_challenges(offered), closing)
        return refusal or (Reconnect() if closing else None)

    def _again(self) -> Step:
        """Ask once more, on the same connection; h11 would not on one that began with HTTP/1.0."""
        leftover = bytes(self._http.trailing_data[0])
        self._http = _fresh()
        self._heard = bool(leftover)
        request = self._request()
        if leftover:
            self._http.receive_data(leftover)
        return Send(request)

    def _ended(self) -> Step:
        """The connection is over. That may be the proxy's way to want another one for the log-in."""
        return Reconnect() if self._challenged or not self._heard else CLOSED


_CHALLENGE: Final = b"proxy-authenticate"
#: What is repeated to a proxy has the bytes that came from there.
_TEXT: Final = ("utf-8", "surrogateescape")
_GARBAGE: Final = Refused(
    "the upstream proxy does not answer as HTTP should: check scheme and port in its URL"
)


def _fresh() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)


def _closes(response: h11.Response) -> bool:
    """Whether the connection carries nothing after this answer."""
    words = {
        word.strip().lower()
        for name, value in response.headers
        if name in (b"connection", b"proxy-connection")
        for word in value.split(b",")
    }
    endless = not {name for name, _ in response.headers} & {b"content-length", b"transfer-encoding"}
    return endless or b"close" in words or (response.http_version < b"1.1" and b"keep-alive" not in words)
