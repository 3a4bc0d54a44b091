"""Where a client keeps its files: under the deployed programs' names (server lists §3.4)."""

import os
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["DataDirectory", "default_data_directory"]

_NAME: Final = "ca.psiphon.PsiphonTunnel.tunnel-core"


class DataDirectory:
    """The files below `root`, which must exist."""

    def __init__(self, root: Path) -> None:
        self.path = root / _NAME

    @property
    def store(self) -> Path:
        """The directory of the database."""
        return self.path / "datastore"

    @property
    def remote_server_list(self) -> Path:
        """The common list while it is fetched."""
        return self.path / "remote_server_list"

    @property
    def upgrade(self) -> Path:
        """A newer client, once it is fetched."""
        return self.path / "upgrade"

    def obfuscated(self, name: str) -> Path:
        """A file of the obfuscated lists: the registry, or a list."""
        return self.path / "osl" / name

    def make(self) -> None:
        """Make the directories. Raises OSError."""
        for path in (self.path, self.store, self.path / "osl"):
            path.mkdir(mode=0o700, exist_ok=True)


def default_data_directory() -> Path:
    """Return where a client without DataRootDirectory keeps its files: the user's own place for such data.

    Raises OperatorError for a user without a home.
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "headrace"
    try:
        return Path.home() / ".local" / "share" / "headrace"
    except RuntimeError as error:
        raise OperatorError(
            "nothing says where your files are to be kept: set HOME, or name a directory with "
            "--data-root-directory"
        ) from error
