"""Runs our server or client as the command line would."""

import asyncio
import json
import sys
from pathlib import Path

from headrace.base.clock import SYSTEM_CLOCK
from headrace.net.loop import run


async def serve(directory: Path) -> None:
    from headrace.documents.server_config import read_server_config
    from headrace.server.shared import Shared
    from headrace.server.worker import Worker
    from headrace.store.seed_history import SeedHistory

    config = read_server_config((directory / "psiphond.config").read_bytes(), "psiphond.config")
    history = SeedHistory(directory / "seeds.sqlite", SYSTEM_CLOCK)
    worker = Worker(Shared.load(config, directory, history.seen))
    await worker.start("127.0.0.1")
    print("READY", flush=True)
    await asyncio.Event().wait()


async def connect(path: Path) -> None:
    from headrace.client.controller import Controller
    from headrace.client.notices import NoticeOptions, Notices
    from headrace.documents.client_config import read_client_config
    from headrace.documents.server_entry import ServerEntry

    text = path.read_bytes()
    config = read_client_config(text)
    entry = ServerEntry.decode(json.loads(text)["TargetServerEntry"])
    await Controller(
        config, [entry], Notices(sys.stderr, SYSTEM_CLOCK, NoticeOptions.from_config(config))
    ).run()


if __name__ == "__main__":
    run((serve if sys.argv[1] == "server" else connect)(Path(sys.argv[2])))
