"""The command line of the deployed console client, understood besides our own (client spec §6.2).

Its options take one dash or two, and their values after an equals sign or as the next word: -config FILE,
--dataRootDirectory=DIR, -formatNotices=false. Whoever writes them so is a program made for that client, and
is told of mistakes the way it expects: by an Error notice and exit code 1.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from typing import Final, TextIO

import click

from headrace import __version__
from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, OperatorError
from headrace.client.notices import Listener, NoticeOptions, Notices

__all__ = [
    "OPTIONS",
    "StockCommand",
    "build_info",
    "is_stock",
    "notices_file",
    "show_version",
    "stock_errors",
    "translate",
]

#: Theirs, without dashes, and ours.
OPTIONS: Final = {
    "config": "--config",
    "dataRootDirectory": "--data-root-directory",
    "formatNotices": "--format-notices",
    "listenInterface": "--listen-interface",
    "notices": "--notices",
    "rotatingFileSize": "--rotating-file-size",
    "rotatingSyncFrequency": "--rotating-sync-frequency",
    "serverList": "--server-list",
    "tunBindInterface": "--bind-interface",
    "useNoticeFiles": "--use-notice-files",
    "v": "--version",
    "version": "--version",
}
_FLAGS: Final = frozenset(("formatNotices", "useNoticeFiles", "v", "version"))
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_STOCK: Final = f"{__name__}.stock"
_REPOSITORY: Final = "https://github.com/headrace/headrace"


class StockCommand(click.Command):
    """A command that also understands the deployed client's way of writing options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_STOCK] = any(map(_is_stock, args))
        try:
            return super().parse_args(ctx, [word for arg in args for word in translate(arg)])
        except click.UsageError:
            if ctx.meta[_STOCK]:
                click.echo(ctx.get_help(), err=True)
            raise


def _name(arg: str) -> str:
    return arg.lstrip("-").partition("=")[0] if arg.startswith("-") else ""


def _is_stock(arg: str) -> bool:
    """Whether an option is spelled in a way that is not ours."""
    name = _name(arg)
    return name in OPTIONS and arg.partition("=")[0] != OPTIONS[name]


def translate(arg: str) -> list[str]:
    """Return a word of the command line in our spelling. Raises click.UsageError."""
    name, (_, equals, value) = _name(arg), arg.partition("=")
    if name in _FLAGS and equals:
        if value not in _TRUE | _FALSE:
            raise click.UsageError(f"{value!r} for -{name} is neither true nor false.")
        return [OPTIONS[name]] if value in _TRUE else []
    if name in OPTIONS:
        return [OPTIONS[name], value] if equals else [OPTIONS[name]]
    if len(name) > 1 and not arg.startswith("--"):
        return [f"-{arg}"]  # ours of one dash have one letter: so it is named whole when there is none
    return [arg]


def is_stock() -> bool:
    """Whether the command line is spelled the stock way: then its mistakes are told by notices, too."""
    return bool(click.get_current_context().meta.get(_STOCK))


@contextlib.contextmanager
def stock_errors(notices: str | None, *, human: bool) -> Iterator[Listener]:
    """Tell of what a person must mend by a notice too, if the command line is spelled the stock way.

    Yields what is to hear the client's own notices: what they have told is not told again after them.
    """
    told: set[object] = set()

    def hear(notice_type: str, data: Mapping[str, object]) -> None:
        if notice_type == "Error":
            told.add(data["message"])

    try:
        yield hear
    except (DocumentError, OperatorError) as error:
        if not is_stock():
            raise
        if str(error) not in told:
            _tell(str(error), notices, human=human)
        raise OperatorError(str(error), exit_code=1) from error


def _tell(error: str, notices: str | None, *, human: bool) -> None:
    with contextlib.ExitStack() as stack:
        stream = sys.stderr
        if notices:
            with contextlib.suppress(OperatorError):  # that it cannot be written may be the error
                stream = stack.enter_context(notices_file(notices))
        Notices(stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True, human=human)).error(error)


@contextlib.contextmanager
def notices_file(name: str) -> Iterator[TextIO]:
    """Open a file for notices, for its owner's eyes if it is new. Raises OperatorError."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperatorError(f"the notices file {name} cannot be written: {error.strerror}") from error
    stream = os.fdopen(descriptor, "a", encoding="utf-8")
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):  # what the disk did not take is lost
            stream.close()


def build_info() -> dict[str, str]:
    """Return which program this is, under the names that notices have for it."""
    return {
        "buildDate": "",  # there is no such thing: what runs is the source
        "builtWith": f"{platform.python_implementation()} {platform.python_version()}",
        "buildRepo": _REPOSITORY,
        "buildRev": __version__,
    }


def show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print which program this is, in the deployed client's four lines, and end."""
    if not value or ctx.resilient_parsing:
        return
    info = build_info()
    for label, name in (
        ("Build Date", "buildDate"),
        ("Built With", "builtWith"),
        ("Repository", "buildRepo"),
        ("Revision", "buildRev"),
    ):
        click.echo(f"{label}: {info[name] or 'none'}")
    ctx.exit()
