"""A worker process as the operating system sees it: its files, its signals, its supervisor's orders.

    python -m headrace.server.process CONFIGURATION DATA-DIRECTORY ADDRESS [REASON ...]

It begins here and not with a command, because a worker that was lost is to be back soon.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, HeadraceError, OperatorError
from headrace.documents.server_config import ServerConfig
from headrace.net.loop import run as run_loop
from headrace.server.early_signals import ignore_orders
from headrace.server.egress import follow_own_addresses
from headrace.server.findings import with_line
from headrace.server.load.descriptors import raise_limit
from headrace.server.shared import Shared
from headrace.server.startup import load_config, set_up_log
from headrace.server.worker import Worker
from headrace.server.worker_link import Do, Done, Failed, Order, Ready, WorkerLink
from headrace.store.seed_history import SeedHistory

__all__ = ["SEED_FILE", "Process"]

_log = logging.getLogger("headrace.server.process")  # also where this is the main module

#: The seed history's file in the data directory.
SEED_FILE: Final = "seed-history.sqlite"


class Process:
    """One process that serves what the configuration file says, on every address or on `listen` alone.

    `shut` are reasons to take no new connections yet.
    """

    def __init__(
        self,
        config: Path,
        data_directory: Path | None = None,
        listen: str | None = None,
        shut: Sequence[str] = (),
    ) -> None:
        self._path = config
        self._listen = listen
        self._shut = shut
        self._data_directory = data_directory or config.parent
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()

    async def run(self, link: WorkerLink | None = None) -> int:
        """Serve until a signal says stop or the supervisor is gone; return the exit code."""
        link = link or await WorkerLink.open()
        try:
            config = load_config(self._path)
            set_up_log(config, self._path)
            raise_limit()
            await self._serve(config, link)
        except HeadraceError as error:
            failure = Failed(str(error), error.exit_code if isinstance(error, OperatorError) else 2)
            link.tell(failure)
            return failure.exit_code
        finally:
            await link.close()
        return 0

    async def _serve(self, config: ServerConfig, link: WorkerLink) -> None:
        history = SeedHistory(self._data_directory / SEED_FILE, SYSTEM_CLOCK)
        try:
            worker = Worker(Shared.load(config, self._path.parent, history.seen))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop, worker)
            try:
                await worker.start(self._listen, self._shut)
                gc.collect()
                gc.freeze()  # what is there by now stays: no collection need look at it again
                worker.spawn(self._obey(worker, link))
                worker.spawn(follow_own_addresses(worker.shared.egress, config.server_ip_address))
                link.tell(Ready(", ".join(f"{name} on port {port}" for name, port in worker.ports.items())))
                await self._stopping.wait()
                _log.info("stopping", extra={"tunnels": worker.tunnels})
            finally:
                await worker.stop(config.drain_seconds)
        finally:
            history.close()

    def _stop(self, worker: Worker) -> None:
        """End; asked a second time, do not wait for tunnels."""
        if self._stopping.is_set():
            worker.hurry()
        self._stopping.set()

    # ---- orders ---------------------------------------------------------------------------------------

    async def _obey(self, worker: Worker, link: WorkerLink) -> None:
        try:
            async for order in link.orders():
                worker.spawn(self._carry_out(order, worker, link))
        finally:
            self._stop(worker)  # there is no supervisor any more, or none that makes sense

    async def _carry_out(self, order: Order, worker: Worker, link: WorkerLink) -> None:
        error, snapshot = "", None
        try:
            match order.do:
                case Do.PAUSE:
                    worker.door.pause(order.reason)
                case Do.RESUME:
                    worker.door.resume(order.reason)
                case Do.RELOAD:
                    error = await self._reload(worker)
                case Do.SNAPSHOT:
                    snapshot = worker.snapshot()
        except Exception as failure:  # whatever it is, tunnels are not to be lost for it
            _log.exception("an order could not be carried out", extra={"order": order.do})
            error = f"{type(failure).__name__}: {failure}"
        link.tell(Done(order.number, error, snapshot))

    async def _reload(self, worker: Worker) -> str:
        """Read the files again that may change while we run; a bad one changes nothing. Return what is wrong.

        They may be large, and tunnels go on meanwhile: so that happens in a thread, as does finding the line
        of a mistake.
        """
        async with self._reloading:
            try:
                worker.reload(await asyncio.to_thread(worker.shared.reloaded, self._path.parent))
            except DocumentError as error:
                return await asyncio.to_thread(with_line, str(error))
        return ""


def main(config: str, data_directory: str, listen: str, *shut: str) -> int:
    """Run a worker for the supervisor that started this process; return the exit code. No address is ""."""
    ignore_orders()
    return run_loop(Process(Path(config), Path(data_directory), listen or None, shut).run())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
