"""A connection to the HTTP proxy until it is known what its next request is: CONNECT stays here."""

import asyncio
from typing import TYPE_CHECKING

from headrace.base.errors import RemoteProtocolError
from headrace.client.http_answers import BAD_REQUEST, ESTABLISHED, WHO_ARE_YOU, answer_to_failure
from headrace.client.http_forward import HttpForward
from headrace.client.local_connection import LocalConnection
from headrace.codec.http_head import head_end, parse_request
from headrace.ssh.forwarding import Destination, Failure

if TYPE_CHECKING:
    from headrace.client.http_proxy import HttpProxy

__all__ = ["HttpConnection"]


class HttpConnection(LocalConnection):
    """One application's connection, new, or kept after plain requests."""

    def __init__(self, proxy: "HttpProxy") -> None:
        super().__init__(proxy.forwarder, proxy.options)
        self._proxy = proxy
        self._input = b""

    def take_over(self, tcp: asyncio.Transport, buffered: bytes, *, finished: bool) -> None:
        """Go on with a connection of which `buffered` was read: a request, and what came along with it.

        If the application has `finished`, that is all.
        """
        tcp.set_protocol(self)
        self.connection_made(tcp)
        self._finished = finished
        self.negotiate(buffered)

    def negotiate(self, data: bytes) -> None:
        self._input += data
        try:
            end = head_end(self._input)
            if not end:
                return
            request = parse_request(self._input[:end])
        except RemoteProtocolError:
            self._turn_away(BAD_REQUEST)
            return
        target = request.target
        if not self._proxy.admits(request):
            self._turn_away(WHO_ARE_YOU)
        elif target.form == "connect":
            self.open(Destination(target.host, target.port), self._input[end:])
        elif target.form == "absolute":
            forward = HttpForward(self._proxy)
            forward.take_over(self.hand_over(forward), self._input)
        else:
            # Loaded when they are asked for: most clients never are, and it takes 10 ms.
            from headrace.client.local_pages import LocalPages

            pages = LocalPages(self._forwarder, self._options)
            pages.take_over(self.hand_over(pages), self._input)
            if self._finished:
                pages.eof_received()

    def _turn_away(self, answer: bytes) -> None:
        forward = HttpForward(self._proxy)
        forward.turn_away(self.hand_over(forward), answer)

    def success(self) -> bytes:
        return ESTABLISHED

    def failure(self, why: Failure) -> bytes:
        return answer_to_failure(why, sentence=False)
