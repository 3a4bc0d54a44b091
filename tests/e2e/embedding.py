"""A program with a client in it, for test_python_api: `python embedding.py CONFIG ORIGIN_PORT`.

Fetches 200 things at once, and prints as JSON what it got and what is left of the client afterwards.
"""

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

import headrace

OWN = Path("/proc/self")


def sockets(state: str = "") -> list[str]:
    """Return our TCP sockets, those in this state only: 0A is listening."""
    held = {os.readlink(path) for path in (OWN / "fd").iterdir() if path.is_symlink()}
    text = "".join((OWN / "net" / family).read_text() for family in ("tcp", "tcp6"))
    rows = [line.split() for line in text.splitlines()]
    return [row[9] for row in rows if f"socket:[{row[9]}]" in held and row[3].startswith(state)]


async def main(config: str, origin: int) -> dict[str, object]:
    async with headrace.connect(config, timeout=20) as tunnel:

        async def fetch(size: int) -> int:
            reader, writer = await tunnel.open_connection("127.0.0.1", origin)
            writer.write(b"GET /bytes/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size)
            _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            return len(body)

        sizes = await asyncio.gather(*map(fetch, range(1000, 1200)))
        during = {"listening": len(sockets("0A")), "sockets": len(sockets())}
        children = (OWN / "task" / str(os.getpid()) / "children").read_text().split()
        begun = asyncio.get_running_loop().time()
    took = asyncio.get_running_loop().time() - begun
    await asyncio.sleep(0)
    return {
        **during,
        "sizes": sizes,
        "processes": len(children),
        "seconds to end": took,
        "tasks left": len(asyncio.all_tasks()) - 1,
        "sockets left": len(sockets()),
        "threads left": threading.active_count() - 1,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2])))))
