"""An asyncssh client with a SOCKS proxy: `python -m bench.peers.asyncssh_client PORT SOCKS_PORT CIPHER`."""

import asyncio
import sys

import asyncssh

from headrace.net.loop import run


async def connect(port: int, socks_port: int, cipher: str) -> None:
    connection = await asyncssh.connect(
        "127.0.0.1",
        port,
        username="bench",
        password="bench",
        known_hosts=None,
        client_keys=None,
        config=None,
        encryption_algs=[cipher],
    )
    await connection.forward_socks("127.0.0.1", socks_port)
    print("READY", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(connect(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
