"""Logging: the standard library's, set up to write JSON lines with secrets and addresses taken out.

    {"time":"2024-01-02T03:04:05.678Z","level":"info","logger":"headrace.server","event":"listening","port":53}

Fields come from `extra=`. What goes out is redacted as a whole, so a field nobody thought of is covered too.
structlog would do the same and more, but importing it takes 140 ms, which a client that is to start in 350 ms
cannot spend on its log.
"""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from headrace.base.line_file import LineFile
from headrace.base.redact import scrub_value

__all__ = ["LEVELS", "SECRET", "SECRET_FIELDS", "JsonFormatter", "configure_logging"]

_log = logging.getLogger(__name__)

SECRET = "[secret]"  # noqa: S105 - it stands in for secrets

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
"""Level names as configuration files have them."""

SECRET_FIELDS = frozenset(
    ("authorization", "key", "keyword", "passphrase", "password", "private_key", "secret", "seed", "token")
)
"""Words that make a field secret when its name ends in one of them."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Format records as JSON lines. `secret_fields` are taken for secrets besides SECRET_FIELDS."""

    def __init__(self, secret_fields: Iterable[str] = ()) -> None:
        super().__init__()
        self._secret_fields = SECRET_FIELDS | {name.lower() for name in secret_fields}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line |= {name: self._redact(name, value) for name, value in extra.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(scrub_value(line), ensure_ascii=False, separators=(",", ":"))

    def _redact(self, name: str, value: object) -> object:
        if self._is_secret(name):
            return SECRET
        if isinstance(value, dict):
            return {str(inner): self._redact(str(inner), item) for inner, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._redact(name, item) for item in value]
        return value

    def _is_secret(self, name: str) -> bool:
        name = name.lower()
        return name in self._secret_fields or any(name.endswith("_" + word) for word in self._secret_fields)


class _FileHandler(logging.Handler):
    """Appends to a file. Lines that could not be written are made up for with one that tells their number."""

    def __init__(self, file: LineFile) -> None:
        file.open()
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        lost = self._file.lost
        if self._file.append(line.encode("utf-8", "replace") + b"\n") and lost:
            _log.warning("the log can be written again", extra={"lost_lines": lost})

    def close(self) -> None:
        self._file.close()
        super().close()


def configure_logging(
    level: str = "info",
    *,
    file: str = "",
    stream: TextIO | None = None,
    secret_fields: Iterable[str] = (),
) -> None:
    """Send all records from `level` up to `file`, or to `stream`, or to standard error.

    The file is reopened when a log rotator has moved it away. Raises OSError if it cannot be opened now.
    """
    handler: logging.Handler
    if file:
        handler = _FileHandler(LineFile(Path(file), 0o666))
    else:
        handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(secret_fields))
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)


def _timestamp(seconds: float) -> str:
    whole = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"
