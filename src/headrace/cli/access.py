"""Access links as a person gives them: typed, in a file, or on standard input."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.cli.files import STANDARD, read_file
from headrace.documents.access_link import AccessLink, is_link, read_link

__all__ = ["keep_link", "link_text", "network_directory", "open_link"]

#: Below the data directory of all clients: a place for each network that a link has led to.
_FOLDER: Final = "links"
_FILE: Final = "access.link"
#: By what a network is known, whoever tells of it; without keys, by its servers.
_IDS: Final = ("PropagationChannelId", "SponsorId")
_KEYS: Final = ("RemoteServerListSignaturePublicKey", "ServerEntrySignaturePublicKey")


def link_text(given: str) -> str:
    """Return the link that was given, or is in the file of that name. Raises OperatorError."""
    if not given.strip():
        raise OperatorError("the access link is empty; those begin with headrace://connect/")
    if is_link(given):
        return given
    path = Path("/dev/stdin") if given == STANDARD else Path(given)
    text = read_file(path, "the access link").decode("utf-8", "replace")
    if not is_link(text):
        raise OperatorError(f"{given} holds no access link; those begin with headrace://connect/")
    return text


def open_link(text: str) -> AccessLink:
    """Return what a link says. Raises DocumentError, LinkExpired by the machine's clock."""
    return read_link(text, datetime.fromtimestamp(SYSTEM_CLOCK.time(), UTC))


def network_directory(configuration: Mapping[str, Any], default_directory: Path) -> Path:
    """Return where a client of this network keeps its files, always the same. Raises OperatorError."""
    keys = [configuration.get(name) for name in _KEYS]
    own = [configuration.get(name) for name in _IDS]
    identity = json.dumps([own, keys if any(keys) else configuration.get("EmbeddedServerEntryList")]).encode()
    directory = default_directory / _FOLDER / hashlib.sha256(identity).hexdigest()[:12]
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{directory} cannot be made: {error.strerror}") from error
    return directory


def keep_link(text: str, directory: Path) -> Path:
    """Write a link to a file that only its owner can read, and return that: command lines are public."""
    target = directory / _FILE
    try:
        handle, draft = tempfile.mkstemp(".new", f".{_FILE}.", directory)
        with open(handle, "w") as stream:
            stream.write(text)
        os.replace(draft, target)
    except OSError as error:
        raise OperatorError(f"{target} cannot be written: {error.strerror}") from error
    return target
