"""A way in for those who want a stream: through the tunnel, or past it where split tunnelling says so."""

from typing import Final

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.client.local_connection import OPEN_TIMEOUT, PortForwarder
from headrace.net.streams import ByteStream, ChannelStream, ForwardRefused
from headrace.ssh import numbers
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["ForwardFailed", "open_stream"]

_TEXTS: Final = {
    Failure.REFUSED: "the connection was refused at the far end",
    Failure.UNREACHABLE: "the far end cannot be reached",
    Failure.NO_SUCH_NAME: "there is no host of that name",
    Failure.TIMED_OUT: "the far end did not answer in time",
    Failure.FORBIDDEN: "the server does not permit connections to it",
    Failure.NO_TUNNEL: "there is no tunnel at the moment",
    Failure.FAILED: "the connection could not be made",
}


class ForwardFailed(NetworkError):
    """There is no way to the destination; `why` not."""

    def __init__(self, why: Failure) -> None:
        super().__init__(_TEXTS[why])
        self.why = why


async def open_stream(
    forwarder: PortForwarder, destination: Destination, timeout: float = OPEN_TIMEOUT
) -> ByteStream:
    """Connect to the destination within `timeout` seconds. Raises ForwardFailed."""
    split = forwarder.split
    if split is None or not split.bypasses(destination):
        try:
            return await _through(forwarder, destination, timeout)
        except ForwardRefused as error:
            if error.reason != numbers.SPLIT_TUNNEL or split is None or not split.told(destination):
                raise ForwardFailed(error.why) from error
    try:
        return await split.connect(destination, timeout)
    except NetworkError as error:
        raise ForwardFailed(Failure.of_error(error)) from error


async def _through(forwarder: PortForwarder, destination: Destination, timeout: float) -> ByteStream:
    """Raises ForwardRefused if the server refuses, else ForwardFailed."""
    if not destination.possible:
        raise ForwardFailed(Failure.UNREACHABLE)
    try:
        return await ChannelStream.open(
            lambda endpoint: forwarder.open_forward(destination, endpoint), timeout
        )
    except ForwardRefused as error:
        if error.reason != numbers.SPLIT_TUNNEL:
            forwarder.forward_failed()
        raise
    except NetworkError as error:
        forwarder.forward_failed()
        timed_out = isinstance(error, ConnectTimeout)
        raise ForwardFailed(Failure.TIMED_OUT if timed_out else Failure.NO_TUNNEL) from error
