"""A progress bar, on standard error and only where a person is watching it."""

import contextlib
import sys
from collections.abc import Iterator

import click

__all__ = ["Bar", "progress"]


class Bar:
    """Nothing but a way to say something; where there is a bar, its subclass moves it."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take how much is done, and how much there is if that is known; as often as one likes."""

    def tell(self, text: str) -> None:
        """Print a line on standard error, above the bar."""
        click.echo(text, err=True)


@contextlib.contextmanager
def progress(what: str, *, in_bytes: bool = True, quiet: bool = False) -> Iterator[Bar]:
    """Show how far the work in the block is, with the rate if it is counted in bytes.

    Whatever is printed while the bar is there goes through its `tell`. A `quiet` one never shows.
    """
    if quiet or not sys.stderr.isatty():
        yield Bar()
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
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as shown:
        job = shown.add_task(what, total=None)

        class Moving(Bar):
            def __call__(self, done: int, total: int | None) -> None:
                shown.update(job, completed=done, total=total)

            def tell(self, text: str) -> None:
                console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield Moving()
