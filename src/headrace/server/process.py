"""A server process as the operating system sees it: its files, its signals, its last breath."""

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, HeadraceError, OperatorError
from headrace.base.logging import configure_logging
from headrace.documents.server_config import ServerConfig, read_server_config
from headrace.net.dial import insist_on_free
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.server.worker_link import Failed, Ready, parent_gone, report
from headrace.store.seed_history import SeedHistory

__all__ = ["SEED_FILE", "Process"]

_log = logging.getLogger(__name__)

#: Seconds that open tunnels get to end by themselves after SIGTERM.
DRAIN: Final = 10.0
#: The seed history's file in the data directory.
SEED_FILE: Final = "seed-history.sqlite"


class Process:
    """One process that serves what the configuration file says, on every address or on `listen` alone."""

    def __init__(self, config: Path, data_directory: Path | None = None, listen: str | None = None) -> None:
        self._path = config
        self._listen = listen
        self._data_directory = data_directory or config.parent
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None

    def load(self) -> ServerConfig:
        """Read the configuration and set up logging as it says. Raises OperatorError or DocumentError."""
        try:
            data = self._path.read_bytes()
        except OSError as error:
            raise OperatorError(
                f"the configuration {self._path} cannot be read: {error.strerror}; "
                "make one with: headrace server generate"
            ) from error
        config = read_server_config(data, str(self._path))
        if not config.protocol_ports:
            raise DocumentError(
                f"{self._path}: TunnelProtocolPorts names no protocol that is spoken here: add OSSH or SSH"
            )
        try:
            configure_logging(config.log_level, file=config.log_filename)
        except OSError as error:
            raise OperatorError(
                f"{self._path}: LogFilename: {config.log_filename} cannot be written: {error.strerror}"
            ) from error
        return config

    def insist_on_free_ports(self) -> None:
        """Raise OperatorError if something listens where this server is to: workers share their ports."""
        for name, port in self.load().protocol_ports.items():
            insist_on_free(port, what=name, host=self._listen)

    def warn(self) -> None:
        """Say what in the configuration is not served, or must not be served to the public."""
        config = self.load()
        for name in config.unknown_fields:
            _log.debug("configuration field ignored", extra={"field": name})
        for name in config.unsupported_protocols:
            _log.warning("tunnel protocol not supported, not served", extra={"protocol": name})
        for name in config.testing_settings:
            _log.warning(
                "a setting for tests is on: never run a public server with it", extra={"setting": name}
            )

    async def run(self, announce: Callable[[str], None]) -> None:
        """Serve until a signal says stop."""
        config = self.load()
        self.warn()
        await self._serve(config, announce)

    async def run_supervised(self) -> int:
        """Serve until a signal says stop or the supervisor is gone; return the exit code."""
        gone = asyncio.create_task(parent_gone())
        gone.add_done_callback(lambda task: self._stop())
        try:
            await self._serve(self.load(), lambda text: report(Ready(text)))
        except HeadraceError as error:
            report(Failed(str(error)))
            return error.exit_code if isinstance(error, OperatorError) else 2
        finally:
            gone.cancel()
        return 0

    async def _serve(self, config: ServerConfig, announce: Callable[[str], None]) -> None:
        history = SeedHistory(self._data_directory / SEED_FILE, SYSTEM_CLOCK)
        try:
            worker = self._worker = Worker(Shared.load(config, self._path.parent, history.seen))
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload, worker)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
            try:
                await worker.start(self._listen)
                announce(", ".join(f"{name} on port {port}" for name, port in worker.ports.items()))
                await self._stopping.wait()
                _log.info("stopping", extra={"tunnels": worker.tunnels})
            finally:
                await worker.stop(DRAIN)
        finally:
            history.close()

    def _stop(self) -> None:
        """End; asked a second time, do not wait for tunnels."""
        if self._stopping.is_set() and self._worker is not None:
            self._worker.hurry()
        self._stopping.set()

    def _reload(self, worker: Worker) -> None:
        """Read the files again that may change while we run; a bad one changes nothing."""
        try:
            worker.reload(worker.shared.reloaded(self._path.parent))
        except DocumentError as error:
            _log.error("not reloaded, the old state stays", extra={"reason": str(error)})
        else:
            _log.info("reloaded")
