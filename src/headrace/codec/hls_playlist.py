"""HLS playlists whose URIs are to lead somewhere else (RFC 8216 §4; client spec §2.4).

    master playlist    variants and renditions ──► playlists, to be rewritten in their turn
    media playlist     segments, keys, initialisation sections ──► whatever they are

Only URIs are replaced, the ones on lines of their own and those in attributes; everything else stays as it
was, to the byte. What is no playlist, or one that nobody could say more of, is left alone altogether.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urljoin

__all__ = ["MAX_LINES", "MAX_RESULT", "rewrite_playlist"]

#: A day of two-second segments has 86,400 lines.
MAX_LINES: Final = 100_000
#: Bytes: where the playlist was fetched from goes into every line, and its server chooses how long that is.
MAX_RESULT: Final = 16 * 1024 * 1024

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
    size = 0
    for number, line in enumerate(lines):
        if _VARIABLE in line:
            return None
        lines[number] = line = _rewrite_line(line, base, place, master)
        size += len(line)
        if size > MAX_RESULT:
            return None
    return "\n".join(lines).encode()


def _rewrite_line(line: str, base: str, place: Callable[[str, bool], str], master: bool) -> str:
    def replace(uri: str, playlist: bool) -> str:
        try:
            url = urljoin(base, uri)
        except ValueError:
            return uri
        return place(url, playlist) if url.lower().startswith(("http://", "https://")) else uri

    def replace_attribute(match: re.Match[str]) -> str:
        name, value = match.groups()
        if value is None or not name.endswith("URI="):
            return match[0]
        return f'{name}"{replace(value, line.startswith(_TO_PLAYLISTS))}"'

    if line.startswith("#EXT-X-"):
        return _ATTRIBUTE.sub(replace_attribute, line)
    uri = line.strip()
    return line if not uri or uri.startswith("#") else line.replace(uri, replace(uri, master), 1)
