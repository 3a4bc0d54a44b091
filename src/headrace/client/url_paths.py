"""The paths of the URL proxy: a prefix for the way, then a whole URL, percent-encoded (client spec §2.4).

/tunneled/<url>                  through the tunnel
/tunneled-rewrite/<url>?m3u8     the same; a playlist's URIs are made paths of ours
/tunneled-icy/<url>[?m3u8]       the same, from SHOUTcast servers as well
/direct/<url>                    past the tunnel
"""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, unquote_plus

from headrace.base.errors import DocumentError
from headrace.net.http import split_url

__all__ = ["Asked", "path_of"]

_TUNNELED: Final = "/tunneled/"
_DIRECT: Final = "/direct/"
_REWRITE: Final = "/tunneled-rewrite/"
_ICY: Final = "/tunneled-icy/"
_PLAYLIST_KEY: Final = "m3u8"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a path asks for: a URL, by which way, and whether the URIs of a playlist are to be rewritten."""

    prefix: str
    url: str
    playlist: bool = False

    @classmethod
    def parse(cls, target: str) -> Self | None:
        """Return what a request's target asks for, None if it is no such path.

        Raises DocumentError for a URL that is of no use, or not encoded as a whole.
        """
        for prefix in (_TUNNELED, _DIRECT, _REWRITE, _ICY):
            encoded, _, keys = target.removeprefix(prefix).partition("?")
            if not target.startswith(prefix):
                continue
            if "/" in encoded:
                raise DocumentError("the URL must be percent-encoded as a whole")
            url = unquote_plus(encoded)
            split_url(url)
            return cls(prefix, url, prefix in (_REWRITE, _ICY) and _PLAYLIST_KEY in keys.split("&"))
        return None

    @property
    def direct(self) -> bool:
        return self.prefix == _DIRECT

    @property
    def icy(self) -> bool:
        return self.prefix == _ICY

    def again(self, url: str) -> str:
        """Return the path that asks for another URL in the same way."""
        return path_of(url, self.prefix, playlist=self.playlist)


def path_of(url: str, prefix: str = "", *, playlist: bool = False) -> str:
    """Return the path for a URL, which leads through the tunnel unless a prefix says otherwise."""
    prefix = prefix or (_REWRITE if playlist else _TUNNELED)
    return prefix + quote(url, safe="") + (f"?{_PLAYLIST_KEY}" if playlist else "")
