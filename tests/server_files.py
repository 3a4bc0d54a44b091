"""A server's files as an operator has them, and its log."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.testing.peers import host_key

__all__ = ["LOG", "configuration", "logged", "own_logging"]

LOG = "log"


def configuration(directory: Path, **settings: Any) -> Path:
    """Write a server's files; return the configuration, which logs to a file."""
    generated = generate_server(ip="127.0.0.1", protocols={"OSSH": 1}, host_key=host_key())
    generated.write(directory, force=True)
    path = directory / CONFIG_FILE
    changes = {"TunnelProtocolPorts": {"OSSH": 0}, "LogFilename": str(directory / LOG), **settings}
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))
    return path


def logged(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of its log."""
    return [json.loads(line) for line in (directory / LOG).read_text().splitlines()]


@contextmanager
def own_logging() -> Iterator[None]:
    """Have logging be as it was after the block, whatever a server sets up."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        for handler in root.handlers[:]:
            if handler not in handlers:
                root.removeHandler(handler)
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
