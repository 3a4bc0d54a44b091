"""HLS playlists whose URIs are to lead somewhere else (RFC 8216 §4; client spec §2.4).

    master playlist    variants and renditions ──► playlists, to be rewritten in their turn
    media playlist     segments, keys, initialisation sections ──► whatever they are

Only URIs are replaced, the ones on lines of their own and those in attributes; everything else stays as it
was, to the byte. What is no playlist, or one that nobody could say more of, is left alone altogether.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import urljoin

__all__ = ["MAX_LINES", "MAX_RESULT", "MAX_URIS", "rewrite_playlist"]

#: Bounds of the work: more is no playlist for a player. Each URI grows by where the playlist is, and how long
#: that is, its origin chooses.
MAX_LINES: Final = 100_000
MAX_URIS: Final = 20_000
MAX_RESULT: Final = 8 * 1024 * 1024  # bytes

#: Tags that only one kind of playlist has (§4.3.2 to 4.3.4).
_MASTER: Final = ("#EXT-X-STREAM-INF:", "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-MEDIA:")
_MEDIA: Final = ("#EXTINF:", "#EXT-X-TARGETDURATION:")
#: Tags whose attributes lead to playlists.
_TO_PLAYLISTS: Final = (*_MASTER, "#EXT-X-RENDITION-REPORT:")
#: One attribute; a comma or a name inside of quotes begins no other (§4.2).
_ATTRIBUTE: Final = re.compile(r'(?<![A-Z0-9-])([A-Z0-9-]++=)(?:"([^"]*)"|[^",]*)')
#: Begins the use of a variable, which only the player can fill in.
_VARIABLE: Final = "{$"


def rewrite_playlist(data: bytes, base: str, place: Callable[[str, bool], str]) -> bytes | None:
    """Return the playlist with each http(s) URI replaced by what `place` returns for it.

    `place` is given the absolute URL, relative ones being resolved against `base`, and whether a playlist is
    to be found there. None means that the data is no playlist, or none that can be rewritten.
    """
    try:
        lines = data.decode().removeprefix("\ufeff").split("\n")
    except UnicodeDecodeError:
        return None
    master = any(line.startswith(_MASTER) for line in lines)
    media = any(line.startswith(_MEDIA) for line in lines)
    if lines[0].rstrip() != "#EXTM3U" or master == media or len(lines) > MAX_LINES:
        return None
    if any(_VARIABLE in line for line in lines):
        return None
    rewriting = _Rewriting(base, place)
    try:
        return "\n".join([rewriting.line(line, master) for line in lines]).encode()
    except _TooMuch:
        return None


class _TooMuch(Exception):
    """The playlist is beyond our bounds."""


class _Rewriting:
    def __init__(self, base: str, place: Callable[[str, bool], str]) -> None:
        self._base = base
        self._place = place
        self._uris = 0
        self._size = 0

    def line(self, line: str, master: bool) -> str:
        """Return a line with its URIs replaced. Raises _TooMuch."""
        if line.startswith("#EXT-X-"):
            return _ATTRIBUTE.sub(partial(self._attribute, line.startswith(_TO_PLAYLISTS)), line)
        uri = line.strip()
        return line if not uri or uri.startswith("#") else line.replace(uri, self._replace(uri, master), 1)

    def _attribute(self, playlist: bool, match: re.Match[str]) -> str:
        name, value = match.groups()
        if value is None or not name.endswith("URI="):
            return match[0]
        return f'{name}"{self._replace(value, playlist)}"'

    def _replace(self, uri: str, playlist: bool) -> str:
        try:
            url = urljoin(self._base, uri)
        except ValueError:
            return uri
        if not url.lower().startswith(("http://", "https://")):
            return uri
        placed = self._place(url, playlist)
        self._uris += 1
        self._size += len(placed)
        if self._uris > MAX_URIS or self._size > MAX_RESULT:
            raise _TooMuch
        return placed
