"""A client put together from its configuration: whom it knows, what it keeps, who runs it.

For the command line, and for programs that have a client in themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.client.data_directory import DataDirectory
from headrace.client.migration import migrate
from headrace.client.notices import Notices
from headrace.client.servers import FixedServers, Servers, StoredServers
from headrace.crypto.signing import VerifyingKey
from headrace.documents.client_config import ClientConfig
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.journal import Journal
from headrace.store.client.store import ClientStore

if TYPE_CHECKING:
    from headrace.client.controller import Controller

__all__ = ["Assembly", "data_directory", "target_entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """The parts of a client, while they are `opened`."""

    config: ClientConfig
    notices: Notices
    directory: DataDirectory | None  #: without one nothing outlives the run
    servers: Servers
    store: ClientStore
    embedded: Mapping[str, Sequence[str]]

    @classmethod
    @contextmanager
    def opened(
        cls,
        config: ClientConfig,
        notices: Notices,
        *,
        directory: DataDirectory | None = None,
        target: ServerEntry | None = None,
        lists: Mapping[str, Sequence[str]] | None = None,
    ) -> Iterator[Self]:
        """Open what the client keeps, for the block.

        `lists` are lines of server entries that it knows besides its configuration's, by where they are from.
        With a `target` it knows nobody else. Raises OperatorError if the store cannot be opened.
        """
        if directory is not None:
            migrate(config, directory, notices)
        embedded = {"EmbeddedServerEntryList": config.embedded_server_entries, **(lists or {})}
        path = directory.store if directory is not None else None
        with closing(ClientStore.open(path, SYSTEM_CLOCK, notify=notices.warning)) as store:
            yield cls(
                config=config,
                notices=notices,
                directory=directory,
                servers=StoredServers(store, _entry_key(config))
                if target is None
                else FixedServers([target]),
                store=store,
                embedded=embedded if target is None else {},
            )

    def controller(self, journal: Journal | None = None) -> "Controller":
        """Return who runs the client, on the loop that is running now."""
        from headrace.client.controller import Controller  # what a command reports first needs none of it
        from headrace.client.surroundings import Machine

        return Controller(
            self.config,
            self.servers,
            self.notices,
            store=self.store,
            directory=self.directory,
            embedded=self.embedded,
            surroundings=Machine.of(self.config, self.store, SYSTEM_RNG, SYSTEM_CLOCK),
            journal=journal,
        )


def data_directory(root: Path, *, make: bool = False) -> DataDirectory:
    """Return the directory for what a client keeps, below `root`; that must exist, or is made as well.

    Raises OperatorError.
    """
    try:
        if make:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not root.is_dir():
            raise OperatorError(f"the data directory {root} does not exist; make it first")
        directory = DataDirectory(root)
        directory.make()
    except OSError as error:
        raise OperatorError(
            f"the data directory {root} cannot be used: {error.strerror}; name another one "
            "(DataRootDirectory, --data-root-directory)"
        ) from error
    return directory


def target_entry(config: ClientConfig, where: str = "TargetServerEntry") -> ServerEntry | None:
    """Return the one entry that excludes all others, if there is one. Raises OperatorError."""
    line = config.target_server_entry.strip()  # files of one entry end with a newline
    if not line:
        return None
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    try:
        entry = ServerEntry.decode(line, "TARGET", now)
        entry.validate()
    except DocumentError as error:
        raise OperatorError(f"{where}: {error}") from error
    return entry


def _entry_key(config: ClientConfig) -> VerifyingKey | None:
    text = config.server_entry_signature_public_key
    return VerifyingKey.from_text(text) if text else None
