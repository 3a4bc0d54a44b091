"""Password authentication (RFC 4252), both sides: the only method a tunnel uses."""

from collections.abc import Callable
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.ssh import numbers
from headrace.ssh.transport import Transport
from headrace.ssh.wire import Reader, boolean, name_list, string

__all__ = ["ClientAuth", "ServerAuth"]

_USERAUTH: Final = b"ssh-userauth"
_CONNECTION: Final = b"ssh-connection"
#: Go's and OpenSSH's clients open with a "none" attempt; one real attempt is all that a tunnel needs.
MAX_ATTEMPTS: Final = 6


class ClientAuth:
    """Log in once keys are in use; `finished(True)` when the server let us in, `finished(False)` when not.

    The service request and the password go out together: a server reads them in order, and a round trip is
    saved.
    """

    def __init__(
        self, transport: Transport, user: str, password: str, finished: Callable[[bool], None]
    ) -> None:
        self._transport = transport
        self._finished = finished
        table = transport.table
        table[numbers.SERVICE_ACCEPT] = _ignore
        table[numbers.USERAUTH_BANNER] = _ignore
        table[numbers.USERAUTH_SUCCESS] = self._on_success
        table[numbers.USERAUTH_FAILURE] = self._on_failure
        transport.send(bytes((numbers.SERVICE_REQUEST,)) + string(_USERAUTH))
        transport.send(
            bytes((numbers.USERAUTH_REQUEST,))
            + string(user.encode())
            + string(_CONNECTION)
            + string(b"password")
            + boolean(False)
            + string(password.encode())
        )

    def _on_success(self, payload: memoryview) -> None:
        self._forget()
        self._finished(True)

    def _on_failure(self, payload: memoryview) -> None:
        self._forget()
        self._finished(False)

    def _forget(self) -> None:
        for number in (numbers.SERVICE_ACCEPT, numbers.USERAUTH_SUCCESS, numbers.USERAUTH_FAILURE):
            self._transport.table[number] = _out_of_place


class ServerAuth:
    """Let clients in whose user and password `check` approves; `succeeded` is called once.

    Too many attempts raise RemoteProtocolError with code 14.
    """

    def __init__(
        self, transport: Transport, check: Callable[[str, str], bool], succeeded: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._check = check
        self._succeeded = succeeded
        self._attempts = 0
        transport.table[numbers.SERVICE_REQUEST] = self._on_service
        # RFC 4252 §6: messages of the layers above are an error until somebody is logged in.
        self._above = transport.table[numbers.GLOBAL_REQUEST :]
        transport.table[numbers.GLOBAL_REQUEST :] = [_out_of_place] * len(self._above)

    def _on_service(self, payload: memoryview) -> None:
        service = bytes(Reader(payload[1:]).string())
        if service != _USERAUTH:
            raise RemoteProtocolError("an unknown service was asked for", numbers.SERVICE_NOT_AVAILABLE)
        # Once only: asked for again after the log-in, the service would let the client log in a second time.
        self._transport.table[numbers.SERVICE_REQUEST] = _out_of_place
        self._transport.table[numbers.USERAUTH_REQUEST] = self._on_request
        self._transport.send(bytes((numbers.SERVICE_ACCEPT,)) + string(_USERAUTH))

    def _on_request(self, payload: memoryview) -> None:
        reader = Reader(payload[1:])
        user = reader.text()
        service, method = bytes(reader.string()), bytes(reader.string())
        self._attempts += 1
        if service == _CONNECTION and method == b"password" and not reader.boolean():
            password = reader.text()
            reader.check_end()
            if self._check(user, password):
                # RFC 4252 §5.1: requests after a success are ignored in silence.
                self._transport.table[numbers.USERAUTH_REQUEST] = _ignore
                self._transport.table[numbers.GLOBAL_REQUEST :] = self._above
                self._transport.send(bytes((numbers.USERAUTH_SUCCESS,)))
                self._succeeded()
                return
        if self._attempts >= MAX_ATTEMPTS:
            raise RemoteProtocolError("too many authentication attempts", numbers.NO_MORE_AUTH_METHODS)
        self._transport.send(bytes((numbers.USERAUTH_FAILURE,)) + name_list(("password",)) + boolean(False))


def _ignore(payload: memoryview) -> None:
    """Take a message that changes nothing."""


def _out_of_place(payload: memoryview) -> None:
    raise RemoteProtocolError(f"message {payload[0]} does not belong here")
