"""What a server does before it serves: it reads its configuration, sets up its log, says what is wrong."""

import logging
from pathlib import Path

from headrace.base.errors import OperatorError
from headrace.base.logging import configure_logging
from headrace.documents.server_config import ServerConfig, read_server_config
from headrace.net.dial import insist_on_free

__all__ = ["insist_on_free_ports", "load_config", "set_up_log", "warn"]

_log = logging.getLogger(__name__)


def load_config(path: Path) -> ServerConfig:
    """Read a configuration. Raises OperatorError or DocumentError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"the configuration {path} cannot be read: {error.strerror}; "
            "make one with: headrace server generate"
        ) from error
    return read_server_config(data, str(path))


def set_up_log(config: ServerConfig, path: Path) -> None:
    """Log as the configuration in `path` says, to a file in the same directory. Raises OperatorError."""
    file = str(path.parent / config.log_filename) if config.log_filename else ""
    try:
        configure_logging(config.log_level, file=file)
    except OSError as error:
        raise OperatorError(f"{path}: LogFilename: {file} cannot be written: {error.strerror}") from error


def insist_on_free_ports(config: ServerConfig, listen: str | None) -> None:
    """Raise OperatorError if something listens where this server is to: workers share their ports."""
    for name, port in config.protocol_ports.items():
        insist_on_free(port, what=name, host=listen)


def warn(config: ServerConfig) -> None:
    """Log what in the configuration is not served, or must not be served to the public."""
    for name in config.unknown_fields:
        _log.debug("configuration field ignored", extra={"field": name})
    for name in config.unsupported_protocols:
        _log.warning("tunnel protocol not supported, not served", extra={"protocol": name})
    for name in config.testing_settings:
        _log.warning("a setting for tests is on: never run a public server with it", extra={"setting": name})
