"""The data types of SSH (RFC 4251 §5): writers as functions, readers as methods of a cursor."""

from collections.abc import Iterable

from headrace.base.errors import RemoteProtocolError
from headrace.codec.cursor import Cursor

__all__ = ["Reader", "boolean", "mpint", "name_list", "string", "u32"]

Buffer = bytes | bytearray | memoryview


def u32(value: int) -> bytes:
    """uint32."""
    return value.to_bytes(4, "big")


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def string(value: Buffer) -> bytes:
    """A length-prefixed byte string."""
    return len(value).to_bytes(4, "big") + value


def mpint_body(value: int) -> bytes:
    """The bytes of a non-negative mpint without their length: shortest form, sign bit clear."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b""


def mpint(value: int) -> bytes:
    """A multiple-precision integer; only non-negative ones occur here."""
    return string(mpint_body(value))


def name_list(names: Iterable[str]) -> bytes:
    """A comma-separated list of ASCII names."""
    return string(",".join(names).encode("ascii"))


class Reader(Cursor):
    """Read SSH values; everything malformed is a RemoteProtocolError."""

    __slots__ = ()

    def boolean(self) -> bool:
        return self.u8() != 0

    def string(self) -> memoryview:
        return self.take(self.u32())

    def text(self) -> str:
        """A UTF-8 string."""
        try:
            return str(self.string(), "utf-8")
        except UnicodeDecodeError as error:
            raise RemoteProtocolError("text is not UTF-8") from error

    def name_list(self) -> tuple[str, ...]:
        """A list of names; an empty string is an empty list."""
        try:
            text = str(self.string(), "ascii")
        except UnicodeDecodeError as error:
            raise RemoteProtocolError("algorithm names are not ASCII") from error
        return tuple(text.split(",")) if text else ()
