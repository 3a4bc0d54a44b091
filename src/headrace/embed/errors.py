"""What can go wrong with a connection, in the terms of this package and in those of sockets."""

from headrace.client.forward_stream import ForwardFailed
from headrace.ssh.forwarding import Failure

__all__ = ["ConnectionFailed"]


class ConnectionFailed(ForwardFailed, ConnectionError):
    """There is no connection to the destination; `why` not.

    A HeadraceError and an OSError at once, for those who expect what a socket raises.
    """

    def __init__(self, why: Failure) -> None:
        super().__init__(why)
        self.strerror = str(self)  # where those look who expect a socket's
