"""Notices: what the client tells whatever runs it, one JSON object per line (client spec §6.3).

    {"data":{"count":1},"noticeType":"Tunnels","timestamp":"2024-01-02T03:04:05.678Z"}

Programs match these lines as text, so order, spacing and escapes are fixed. IP addresses are taken out of
every line but the few whose purpose is to show one. What types there are is for notice_types.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from headrace.base.clock import Clock
from headrace.base.errors import LocalProtocolError
from headrace.base.redact import scrub_addresses
from headrace.client.notice_files import NoticeFiles
from headrace.client.notice_types import NOTICE_TYPES, Kind
from headrace.documents.client_config import ClientConfig
from headrace.documents.json_canonical import encode_canonical

__all__ = ["Listener", "NoticeOptions", "Notices"]

#: What hears a notice: its type and its data.
Listener = Callable[[str, Mapping[str, object]], None]

_MAX_REMEMBERED = 1000  # distinct notices of the once-only types


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOptions:
    """What is shown beyond the plain notices, and in which format."""

    diagnostics: bool = False
    network_parameters: bool = False
    bytes_transferred: bool = False
    client_address: bool = False
    server_alerts: bool = False
    errors: bool = False  # why the client stops, whatever else is shown
    human: bool = False  # `timestamp type data` instead of JSON

    @classmethod
    def from_config(
        cls, config: ClientConfig, *, human: bool = False, errors: bool = False
    ) -> "NoticeOptions":
        """Return what a configuration asks for."""
        return cls(
            diagnostics=config.emit_diagnostic_notices,
            network_parameters=config.emit_diagnostic_network_parameters,
            bytes_transferred=config.emit_bytes_transferred,
            client_address=config.emit_client_address,
            server_alerts=config.emit_server_alerts,
            errors=errors,
            human=human,
        )

    def shows(self, kind: Kind) -> bool:
        """True when notices of this kind are to be written."""
        switches = {
            Kind.DIAGNOSTIC: self.diagnostics,
            Kind.NETWORK: self.network_parameters,
            Kind.BYTES: self.bytes_transferred,
            Kind.ADDRESS: self.client_address,
            Kind.ALERT: self.server_alerts,
        }
        return all(active for switch, active in switches.items() if switch in kind)


class Notices:
    """Write notices to a text stream, if there is one, a line at a time; to `files` too, where there are any.

    Then home pages and what is for diagnosis go to the files only.
    """

    def __init__(
        self,
        stream: TextIO | None,
        clock: Clock,
        options: NoticeOptions | None = None,
        files: NoticeFiles | None = None,
    ) -> None:
        self._stream = stream
        self._files = files
        self._clock = clock
        self._options = options or NoticeOptions()
        self._last: dict[str, tuple[bytes, int]] = {}  # type to content and how often it was repeated
        self._said: set[tuple[str, bytes]] = set()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the type and the data of every notice from now on.

        It hears those that are not shown, too, but no network parameters, and nothing that is suppressed for
        being said again.
        """
        self._listeners.append(listener)

    def emit(self, notice_type: str, /, network: Mapping[str, object] | None = None, **data: object) -> None:
        """Write a notice of `notice_type`, one of NOTICE_TYPES, with `data` as its content.

        `network` holds more of the content, shown only when network parameters are asked for.
        """
        if notice_type not in NOTICE_TYPES:
            raise LocalProtocolError(f"{notice_type} is no type of notice")
        kind = NOTICE_TYPES[notice_type].kind
        shown = {**data, **network} if network and self._options.network_parameters else data
        content = encode_canonical(shown)
        if Kind.ONCE in kind and self._was_said(notice_type, content):
            return
        if kind & (Kind.ON_CHANGE | Kind.ONE_REPEAT):
            repeats = self._count_repeats(notice_type, content)
            if repeats > (1 if Kind.ONE_REPEAT in kind else 0):
                return
            if repeats:
                data["repeats"] = repeats
                content = encode_canonical({**shown, "repeats": repeats})
        for listener in self._listeners:
            listener(notice_type, data)
        if self._options.errors and notice_type == "Error":
            kind &= ~Kind.DIAGNOSTIC
        if self._options.shows(kind) and (self._stream or self._files):
            self._write(kind, notice_type, content.decode())

    def _write(self, kind: Kind, notice_type: str, content: str) -> None:
        milliseconds = int(self._clock.time() * 1000)
        whole = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        timestamp = f"{whole}.{milliseconds % 1000:03d}Z"
        if Kind.SHOWS_ADDRESS not in kind:
            content = scrub_addresses(content)
        line = f'{{"data":{content},"noticeType":"{notice_type}","timestamp":"{timestamp}"}}'
        if self._files is not None:
            if Kind.HOMEPAGE in kind:
                self._files.write_homepage(line)
            elif not kind & (Kind.SHOWS_ADDRESS | Kind.BYTES):
                self._files.write(line)
            if kind & (Kind.HOMEPAGE | Kind.DIAGNOSTIC):
                return
        if self._stream is None:
            return
        if self._options.human:
            line = f"{timestamp} {notice_type} {content}"
        with suppress(OSError):  # a full disk, or nobody who listens any more, is no reason to end a tunnel
            self._stream.write(line + "\n")
            self._stream.flush()

    def info(self, message: str) -> None:
        """Say something for diagnosis."""
        self.emit("Info", message=message)

    def warning(self, message: str) -> None:
        """Say that something went wrong and that the client goes on."""
        self.emit("Warning", message=message)

    def error(self, message: str) -> None:
        """Say why the client stops."""
        self.emit("Error", message=message)

    def _count_repeats(self, notice_type: str, content: bytes) -> int:
        last, repeats = self._last.get(notice_type, (None, 0))
        repeats = repeats + 1 if content == last else 0
        self._last[notice_type] = content, repeats
        return repeats

    def _was_said(self, notice_type: str, content: bytes) -> bool:
        if (notice_type, content) in self._said:
            return True
        if len(self._said) >= _MAX_REMEMBERED:
            self._said.clear()
        self._said.add((notice_type, content))
        return False
