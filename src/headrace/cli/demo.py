"""`headrace demo`: the main job on this machine, from keys to verified bytes."""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from headrace.base.errors import NetworkError, OperatorError
from headrace.demo.network import Client, DemoNetwork
from headrace.demo.transfer import download, fetch_page, upload

__all__ = ["demo"]


@dataclass
class Summary:
    """What the demonstration found out."""

    seconds_to_connect: float = 0.0
    servers_tried: int = 0
    bytes_blocked: bool = False
    down: dict[str, float] = field(default_factory=dict)
    up: dict[str, float] = field(default_factory=dict)
    first_bytes: dict[str, dict[str, str]] = field(default_factory=dict)
    verified: bool = False


@click.command()
@click.option("--keep", is_flag=True, help="Leave the network running, for a browser, until Ctrl-C.")
@click.option(
    "--megabytes", default=20, show_default=True, type=click.IntRange(1, 200), help="To move each way."
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary for programs, and nothing else.")
def demo(keep: bool, megabytes: int, as_json: bool) -> None:
    """Run a small network on this machine, and fetch through it.

    Two servers are made and started; one of them is blocked, as a censor would. A client that knows both
    connects, a page and a file are fetched and a file is sent through its proxies, and every byte is checked.
    Then the first bytes on the wire are shown, without and with a prefix. Nothing leaves this machine.

    \b
    headrace demo
    headrace demo --keep        then set a browser's proxy to the address it prints
    """
    show = Console(quiet=as_json)
    summary = Summary()
    try:
        asyncio.run(_Demo(show, summary, megabytes * 1_000_000, keep).run())
    except NetworkError as error:
        raise OperatorError(f"the demonstration failed: {error}", exit_code=1) from error
    except asyncio.CancelledError:
        show.print("stopped")
        sys.exit(0 if summary.verified else 130)
    if as_json:
        click.echo(json.dumps(vars(summary), indent=2))


class _Demo:
    def __init__(self, show: Console, summary: Summary, size: int, keep: bool) -> None:
        self._show = show
        self._summary = summary
        self._size = size
        self._keep = keep
        self._stopping = False

    async def run(self) -> None:
        """Run from start to end. SIGINT and SIGTERM cancel it, once: what was started is always ended."""
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop, task)
        async with DemoNetwork() as network:
            with self._show.status("making the keys of two servers, and starting them"):
                await network.start_servers()
            self._done("two servers run; a censor lets nothing through to the second")
            client = await self._connect(network)
            await fetch_page(client.http_port, network.origin.port)
            self._done("fetched a page through the HTTP proxy")
            await self._move("down", download, client, network)
            await self._move("up", upload, client, network)
            self._keep_first_bytes("without a prefix", network)
            await self._with_prefix(network)
            self._summary.verified = True
            self._show_first_bytes()
            self._show_summary(client)
            if self._keep:
                self._invite(client, network)
                await asyncio.Event().wait()

    def _stop(self, task: asyncio.Task[Any]) -> None:
        if not self._stopping:
            self._stopping = True
            task.cancel()

    async def _connect(self, network: DemoNetwork) -> Client:
        summary = self._summary
        begun = time.monotonic()
        with self._show.status("the client dials both servers"):
            client = await network.start_client(prefix=False)
        summary.seconds_to_connect = round(time.monotonic() - begun, 3)
        summary.servers_tried = client.attempts
        summary.bytes_blocked = any(passage.up.first for passage in network.blocked.connections)
        self._done(f"connected {summary.seconds_to_connect:.2f} s after the client was started")
        return client

    async def _move(self, way: str, act: Any, client: Client, network: DemoNetwork) -> None:
        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        begun = time.monotonic()
        quiet = not self._show.is_terminal
        with Progress(*columns, console=self._show, transient=True, disable=quiet) as progress:
            job = progress.add_task(f"moving {self._size / 1e6:g} MB {way}", total=self._size)
            await act(
                client.socks_port, network.origin.port, self._size, lambda count: progress.advance(job, count)
            )
        seconds = time.monotonic() - begun
        figures = {
            "bytes": self._size,
            "seconds": round(seconds, 3),
            "MB/s": round(self._size / seconds / 1e6, 1),
        }
        getattr(self._summary, way).update(figures)
        self._done(f"{self._size / 1e6:g} MB {way} through the SOCKS proxy, every byte checked")

    async def _with_prefix(self, network: DemoNetwork) -> None:
        network.watched.connections.clear()
        client = await network.start_client(prefix=True, only_open=True)
        try:
            await fetch_page(client.http_port, network.origin.port)
        finally:
            await client.stop()
        self._keep_first_bytes("with a prefix", network)
        self._done("did it again with a prefix that looks like HTTP")

    def _keep_first_bytes(self, name: str, network: DemoNetwork) -> None:
        passage = network.watched.connections[0]
        self._summary.first_bytes[name] = {
            "from the client": bytes(passage.up.first).hex(),
            "from the server": bytes(passage.down.first).hex(),
        }

    # ---- printing -------------------------------------------------------------------------------------

    def _done(self, text: str) -> None:
        self._show.print(f"[green]✓[/] {text}")

    def _show_first_bytes(self) -> None:
        for name, directions in self._summary.first_bytes.items():
            text = Text("\n\n").join(
                Text(f"{direction}\n", style="bold").append(_dump(bytes.fromhex(data)))
                for direction, data in directions.items()
            )
            self._show.print(Panel(text, title=f"the first bytes on the wire, {name}", expand=False))

    def _show_summary(self, client: Client) -> None:
        table = Table(show_header=False, box=None)
        for way in ("down", "up"):
            figures = getattr(self._summary, way)
            table.add_row(
                way, f"{figures['bytes'] / 1e6:g} MB", f"{figures['MB/s']:g} MB/s", "every byte checked"
            )
        self._show.print(table)
        self._show.print(
            f"SOCKS proxy 127.0.0.1:{client.socks_port}, HTTP proxy 127.0.0.1:{client.http_port}",
            highlight=False,
        )

    def _invite(self, client: Client, network: DemoNetwork) -> None:
        self._show.print(
            "\nThe network stays up. Set a browser's SOCKS5 proxy, and let it resolve names through it, to\n"
            f"127.0.0.1:{client.socks_port}, or its HTTP proxy to 127.0.0.1:{client.http_port}. Then open\n"
            f"{network.origin.url()} or any site this machine can reach. Ctrl-C ends it.",
            highlight=False,
        )


def _dump(data: bytes, width: int = 16) -> str:
    """Return bytes as hexadecimal and as text, side by side."""
    lines = []
    for start in range(0, len(data), width):
        row = data[start : start + width]
        text = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        lines.append(f"{row.hex(' '):<{width * 3}} {text}")
    return "\n".join(lines)
