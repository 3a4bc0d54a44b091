"""Our client inside a loop that runs already: `python -m bench.started_loop ENTRY ORIGIN_PORT TIMES`.

Prints milliseconds from the controller's making to the first byte back through its SOCKS proxy, as JSON.
"""

import asyncio
import io
import json
import sys
import time

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.net.loop import run

_CONFIG = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16, "LimitTunnelProtocols": ["OSSH"]}


async def one(entry: str, origin: int) -> float:
    """Make a client, send a byte through it, stop it."""
    begun = time.perf_counter()
    config = read_client_config(json.dumps({**_CONFIG, "DisableLocalHTTPProxy": True}).encode())
    notices = Notices(io.StringIO(), SYSTEM_CLOCK, NoticeOptions.from_config(config))
    controller = Controller(config, FixedServers([ServerEntry.decode(entry)]), notices)
    task = asyncio.create_task(controller.run())
    await controller.connected.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", controller.ports["Socks"])
    writer.write(b"\5\1\0")
    await reader.readexactly(2)
    writer.write(b"\5\1\0\1\x7f\0\0\1" + origin.to_bytes(2, "big"))
    await reader.readexactly(10)
    writer.write(b"x")
    await reader.readexactly(1)
    took = time.perf_counter() - begun
    writer.close()
    controller.stop()
    await task
    return took * 1e3


async def main() -> None:
    print(json.dumps([await one(sys.argv[1], int(sys.argv[2])) for _ in range(int(sys.argv[3]))]))


if __name__ == "__main__":
    run(main())
