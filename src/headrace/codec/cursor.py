"""A bounded reader over bytes: every take is checked, so no parser can run past its input."""

from struct import Struct

from headrace.base.errors import RemoteProtocolError

__all__ = ["Cursor"]

_U32 = Struct(">I")


class Cursor:
    """Read big-endian values off `data`, front to back.

    Raises RemoteProtocolError when the input is too short; `code` is passed on to it.
    """

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data)
        self._position = 0

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def take(self, count: int) -> memoryview:
        """Return the next `count` bytes as a view."""
        end = self._position + count
        if count < 0 or end > len(self._data):
            raise self._too_short(count)
        view = self._data[self._position : end]
        self._position = end
        return view

    def bytes(self, count: int) -> bytes:
        """Return the next `count` bytes as a copy."""
        return bytes(self.take(count))

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        # Every string of SSH starts with one: worth doing without a view.
        position = self._position
        if position + 4 > len(self._data):
            raise self._too_short(4)
        self._position = position + 4
        return _U32.unpack_from(self._data, position)[0]  # type: ignore[no-any-return]

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def rest(self) -> memoryview:
        """Return everything that is left."""
        return self.take(self.remaining)

    def _too_short(self, count: int) -> RemoteProtocolError:
        return RemoteProtocolError(f"message too short: {count} bytes wanted, {self.remaining} left")

    def check_end(self) -> None:
        """Insist that nothing is left over."""
        if self.remaining:
            raise RemoteProtocolError(f"{self.remaining} bytes left over at the end of a message")
