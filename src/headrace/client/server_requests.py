"""Requests that a server makes of its client (tunnel spec §5): alerts, and keys for obfuscated lists."""

import base64
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from headrace.client.notices import Notices
from headrace.store.client.store import ClientStore

__all__ = ["ServerRequests"]

#: Alerts are for people: a text no person would read is not one. Keys come by the dozen.
MAX_ALERT: Final = 64 * 1024
MAX_SEEDS: Final = 256 * 1024
#: Bytes of a key, and of its ID.
SLOK_SIZE: Final = 32
#: Keys that are kept: those of many years. A server that hands out more is after our disk.
MOST_KEYS: Final = 100_000


T = TypeVar("T")


class _Alert(msgspec.Struct, frozen=True):
    reason: str
    subject: str = ""
    action: list[str] = []


class _Slok(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    key: str = msgspec.field(name="Key")


class _SeedPayload(msgspec.Struct, frozen=True):
    sloks: list[_Slok] | None = msgspec.field(default=None, name="SLOKs")


class _Seeds(msgspec.Struct, frozen=True):
    seed_payload: _SeedPayload | None = None
    clear_local_sloks: bool = False


class ServerRequests:
    """Answers a server's global requests: true without payload for those we know, false for the rest.

    Keys go to the `store`, if there is one; `seeded` is called when it did not have them yet.
    """

    def __init__(
        self,
        notices: Notices,
        store: ClientStore | None = None,
        seeded: Callable[[], None] = lambda: None,
        *,
        show_keys: bool = False,
    ) -> None:
        self._notices = notices
        self._store = store
        self._seeded = seeded
        self._show_keys = show_keys

    def answer(self, name: bytes, payload: memoryview) -> bytes | None:
        """Return the reply, None to refuse."""
        if name == b"psiphon-alert":
            return self._alert(payload)
        if name == b"psiphon-osl":
            return self._seed(payload)
        if name == b"keepalive@openssh.com":
            return b""
        return None

    def _alert(self, payload: memoryview) -> bytes | None:
        alert = _decode(payload, _Alert, MAX_ALERT)
        if alert is None:
            return None
        self._notices.emit("ServerAlert", reason=alert.reason, subject=alert.subject, actionURLs=alert.action)
        return b""

    def _seed(self, payload: memoryview) -> bytes | None:
        """Keep the keys that a server hands out (server lists §4.3)."""
        seeds = _decode(payload, _Seeds, MAX_SEEDS)
        if seeds is None:
            return None
        try:
            sloks = [
                (_key(slok.id), _key(slok.key))
                for slok in (seeds.seed_payload and seeds.seed_payload.sloks) or []
            ]
        except ValueError:
            return None
        if self._store is None:
            return b""
        if seeds.clear_local_sloks:
            self._store.sloks.clear()
        new: dict[bytes, bytes] = {}
        for identity, key in sloks:
            is_new = identity not in new and self._store.sloks.get(identity) is None
            if is_new:
                new[identity] = key
            if self._show_keys:
                text = base64.b64encode(identity).decode()
                self._notices.emit("SLOKSeeded", slokID=text, duplicate=not is_new)
        room = max(0, MOST_KEYS - self._store.sloks.count())
        if self._store.sloks.add(list(new.items())[:room]):
            self._seeded()
        return b""


def _decode(payload: memoryview, kind: type[T], most: int) -> T | None:
    try:
        return msgspec.json.decode(payload, type=kind) if len(payload) <= most else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _key(text: str) -> bytes:
    """Return the bytes of a key or its ID. Raises ValueError."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) != SLOK_SIZE:
        raise ValueError(text)
    return raw
