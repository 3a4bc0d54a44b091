"""Where a network is kept, and what opens it."""

import functools
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.base.errors import OperatorError

if TYPE_CHECKING:
    from headrace.network.book import Book
    from headrace.network.vault import OperatorKey

__all__ = ["DATABASE", "KEY_FILE", "LIKELY", "Place", "actor", "new_key", "with_place"]

#: The files of a network that is kept in a directory.
DATABASE: Final = "network.db"
KEY_FILE: Final = "operator.key"

_PASSPHRASE: Final = "HEADRACE_PASSPHRASE"  # noqa: S105 - where it is, and not what

#: What the help of the group says of all its commands.
LIKELY: Final = (
    "The network is the one in ./network, or in the directory, or behind the URL of a database, that"
    " --network or HEADRACE_NETWORK names. Its secrets open with the file operator.key beside it, with that"
    f" which --key-file or HEADRACE_KEY_FILE names, or with the passphrase in {_PASSPHRASE}, which is asked"
    " for otherwise. Exit codes: 0 it is done, 3 there was nothing to do, 4 a part of it has failed, 2 it"
    " cannot be done, 1 it has failed."
)


@dataclass(frozen=True, slots=True)
class Place:
    """A network as the command line names it."""

    network: str
    key_file: Path | None
    environment: str

    @property
    def directory(self) -> Path | None:
        """The directory of the network; none for one in a database elsewhere."""
        return None if "://" in self.network else Path(self.network).expanduser()

    @property
    def url(self) -> str:
        """The database."""
        directory = self.directory
        if directory is None:
            return self.network
        return str(directory if directory.is_file() else directory / DATABASE)

    @contextmanager
    def book(self, *, changes: bool = False) -> "Iterator[Book]":
        """Open the network. Raises OperatorError, also for changes to a network that was not named enough."""
        from headrace.network.book import Book

        directory = self.directory
        if directory is not None and not Path(self.url).is_file():
            raise OperatorError(
                f"there is no network in {directory}; make one with `headrace network init {directory}`, or"
                " name another with --network"
            )
        with Book.open(self.url, self.key()) as book:
            with book.view() as view:
                settings = view.settings
                name, production = settings.network_name, settings.production
            if changes and production and self.environment != name:
                raise OperatorError(
                    f"this is the production network {name!r}; say that you mean it with --environment {name}"
                )
            if self.environment and self.environment != name:
                raise OperatorError(f"this is the network {name!r}, and not {self.environment!r}")
            yield book

    def key(self) -> "OperatorKey":
        """Return what opens the network; a person may be asked. Raises OperatorError."""
        from headrace.network.vault import file_key, passphrase_key

        beside = self.directory / KEY_FILE if self.directory is not None else None
        if self.key_file is not None:
            return file_key(self.key_file)
        if beside is not None and beside.is_file():
            return file_key(beside)
        passphrase = os.environ.get(_PASSPHRASE)
        if passphrase is None:
            if not sys.stdin.isatty():
                raise OperatorError(
                    f"the network is locked; put its passphrase into {_PASSPHRASE}, or name its key file with"
                    " --key-file"
                )
            passphrase = click.prompt("Passphrase of the network", hide_input=True, err=True)
        return passphrase_key(passphrase)


def new_key(key_file: Path | None, beside: Path | None, *, passphrase: bool) -> "OperatorKey":
    """Return the key of a new network: from a file that is made unless it exists, or a passphrase.

    A passphrase is taken from the environment or asked for twice. Raises OperatorError.
    """
    from headrace.base.rng import SYSTEM_RNG
    from headrace.network.vault import file_key, make_key_file, passphrase_key

    if passphrase:
        text = os.environ.get(_PASSPHRASE)
        if text is None:
            if not sys.stdin.isatty():
                raise OperatorError(f"put the new network's passphrase into {_PASSPHRASE}")
            text = click.prompt(
                "Passphrase for the new network", hide_input=True, confirmation_prompt=True, err=True
            )
        return passphrase_key(text)
    file = key_file or beside
    if file is None:
        raise OperatorError("name a key file with --key-file, or choose --passphrase")
    return file_key(file) if file.exists() else make_key_file(file, SYSTEM_RNG)


def actor() -> str:
    """Return who is at work, for the audit log."""
    try:
        return os.environ.get("HEADRACE_OPERATOR") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a network, as one argument `place`."""

    @functools.wraps(command)
    def run(*args: Any, network: str, key_file: Path | None, environment: str, **options: Any) -> Any:
        return command(*args, place=Place(network, key_file, environment), **options)

    for option in (
        click.option(
            "--environment",
            default="",
            metavar="NAME",
            help="The network's name; changes of a production network need it.",
        ),
        click.option(
            "--key-file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="HEADRACE_KEY_FILE",
            help="What opens its secrets.",
        ),
        click.option(
            "--network",
            default="network",
            show_default=True,
            metavar="DIRECTORY|URL",
            envvar="HEADRACE_NETWORK",
            help="The network.",
        ),
    ):
        run = option(run)
    return run
