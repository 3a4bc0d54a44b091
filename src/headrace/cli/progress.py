"""A progress bar, on standard error and only where a person is watching it."""

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["Advance", "progress"]

Advance = Callable[[int, int | None], None]
"""Takes how much is done, and how much there is if that is known."""


@contextlib.contextmanager
def progress(what: str, *, in_bytes: bool = True) -> Iterator[Advance]:
    """Show how far the work in the block is, with the rate if it is counted in bytes.

    What this yields is called as often as one likes.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    count = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), *count)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(job, completed=done, total=total)
