"""A whole network in one file, to be kept elsewhere, and brought back from it.

    "HRN1" | length of the header (4) | the vault's header | nonce (12) | ciphertext | tag (16)

The header opens with the operator's key and no other. What is sealed is compressed lines of JSON: one that
says what this is, then each row of each table in a fixed order. So any database can take it, and two backups
of the same state are the same to the byte.
"""

import base64
import hashlib
import hmac
import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, LargeBinary, Table, Uuid, insert, select

from headrace.base.errors import DocumentError, OperatorError
from headrace.network.book.database import writing
from headrace.network.migrations import current, upgrade
from headrace.network.model import Base
from headrace.network.model.base import UtcTime
from headrace.network.vault import OperatorKey, Vault

__all__ = ["back_up", "restore"]

_MAGIC: Final = b"HRN1"
_FORMAT: Final = "headrace-network"
_NONCE_SIZE: Final = 12
_ROWS_AT_ONCE: Final = 1000
#: Far above the largest network; what unpacks to more was not made by a backup.
_MOST_BYTES: Final = 4 << 30

Progress = Callable[[int, int | None], None]


def back_up(connection: Connection, vault: Vault, header: bytes, progress: Progress) -> bytes:
    """Return everything in the database as the transaction of the connection sees it."""
    total = sum(_count(connection, table) for table in _tables())
    packer, packed = zlib.compressobj(9), bytearray()
    for number, line in enumerate(_lines(connection)):
        packed += packer.compress(line)
        if number % _ROWS_AT_ONCE == 0:
            progress(min(number, total), total)
    packed += packer.flush()
    progress(total, total)
    # The nonce follows from the contents: it is used again only where all else is the same too.
    nonce = hmac.digest(vault.derive("backup nonce"), bytes(packed), hashlib.sha256)[:_NONCE_SIZE]
    sealed = AESGCM(vault.derive("backup")).encrypt(nonce, bytes(packed), _MAGIC + header)
    return _MAGIC + len(header).to_bytes(4) + header + nonce + sealed


def restore(backup: bytes, engine: Engine, key: OperatorKey, progress: Progress) -> None:
    """Make the network of a backup in a database that is empty. All of it is there then, or nothing.

    Raises DocumentError for a file that is no backup, WrongKey, and OperatorError.
    """
    lines = _opened(backup, key)
    schema, total = _heading(next(lines))
    with writing(engine).begin() as connection:
        if current(connection) is not None:
            raise OperatorError("there is a network in this database already; restore to an empty one")
        upgrade(connection)
        if (here := current(connection)) != schema:
            raise OperatorError(
                f"this backup is of schema {schema}, and this program has {here}; restore it with"
                " the headrace that made it"
            )
        tables = {table.name: table for table in _tables()}
        done = 0
        for name, group in itertools.groupby(map(_row, lines), key=lambda row: row[0]):
            if name not in tables:
                raise DocumentError(f"this backup has a table {name!r}, which is not known here")
            for batch in _batches(values for _, values in group):
                connection.execute(insert(tables[name]), [_read(tables[name], values) for values in batch])
                progress(done := done + len(batch), total)
        if done != total:
            raise DocumentError("this backup is not whole")
        _continue_counting(connection)


def _tables() -> list[Table]:
    return sorted(Base.metadata.tables.values(), key=lambda table: table.name)


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(sqlalchemy.func.count()).select_from(table)) or 0


def _lines(connection: Connection) -> Iterator[bytes]:
    total = sum(_count(connection, table) for table in _tables())
    yield _line({"format": _FORMAT, "schema": current(connection), "rows": total})
    for table in _tables():
        rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(
            select(table).order_by(*table.primary_key.columns)
        )
        for row in rows:
            yield _line([table.name, {name: _written(value) for name, value in row._mapping.items()}])


def _line(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _written(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
    return value


def _read(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    try:
        return {name: _value(table.columns[name].type, value) for name, value in values.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise DocumentError(f"this backup has a row for {table.name} that does not fit") from None


def _value(kind: sqlalchemy.types.TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case UtcTime():
            return datetime.fromisoformat(value)
        case Uuid():
            return UUID(value)
        case LargeBinary():
            return base64.b64decode(value, validate=True)
    return value


def _opened(backup: bytes, key: OperatorKey) -> Iterator[bytes]:
    size = int.from_bytes(backup[4:8])
    body = 8 + size + _NONCE_SIZE
    if backup[:4] != _MAGIC or len(backup) < body:
        raise DocumentError("this is no backup of a network, or only the start of one")
    header, nonce = backup[8 : 8 + size], backup[8 + size : body]
    vault = Vault.open(header, key)
    try:
        packed = AESGCM(vault.derive("backup")).decrypt(nonce, backup[body:], _MAGIC + header)
    except InvalidTag:
        raise DocumentError("this backup is damaged; take another one") from None
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _MOST_BYTES)
    return iter(text.splitlines())


def _heading(line: bytes) -> tuple[str, int]:
    heading = json.loads(line)
    if heading.get("format") != _FORMAT:
        raise DocumentError("this is no backup of a network")
    return heading["schema"], heading["rows"]


def _row(line: bytes) -> tuple[str, dict[str, Any]]:
    name, values = json.loads(line)
    return name, values


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        yield batch


def _continue_counting(connection: Connection) -> None:
    """Have PostgreSQL number audit events after those that are there, as SQLite does anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('audit', 'number'), max(number)) FROM audit"
        )
