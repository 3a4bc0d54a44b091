"""What is to be published, in words for a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.network.book import View

__all__ = ["stale_lines"]


def stale_lines(view: "View") -> list[str]:
    """Return what has to be published of the network as the view sees it, a line for each content."""
    return []
