"""Requests that a server makes of its client (tunnel spec §5): alerts, and keys for obfuscated lists."""

from typing import Final

import msgspec

from headrace.client.notices import Notices

__all__ = ["ServerRequests"]

#: Alerts are for people: a text no person would read is not one.
MAX_ALERT: Final = 64 * 1024


class _Alert(msgspec.Struct, frozen=True):
    reason: str
    subject: str = ""
    action: list[str] = []


class ServerRequests:
    """Answers a server's global requests: true without payload for those we know, false for the rest."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def answer(self, name: bytes, payload: memoryview) -> bytes | None:
        """Return the reply, None to refuse."""
        if name == b"psiphon-alert":
            return self._alert(payload)
        if name in (b"psiphon-osl", b"keepalive@openssh.com"):
            return b""
        return None

    def _alert(self, payload: memoryview) -> bytes | None:
        try:
            if len(payload) > MAX_ALERT:
                return None
            alert = msgspec.json.decode(payload, type=_Alert)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        self._notices.emit("ServerAlert", reason=alert.reason, subject=alert.subject, actionURLs=alert.action)
        return b""
