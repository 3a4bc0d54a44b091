"""`headrace client`: find a server, keep a tunnel to it, offer local proxies."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import click

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import read_file
from headrace.client.notices import NoticeOptions, Notices
from headrace.documents.client_config import ClientConfig, read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import stream_list
from headrace.net.interfaces import listening_address

__all__ = ["client"]

#: Options of the deployed console client, which take one dash or two (client spec §6.2).
_STOCK_OPTIONS = {
    "config": "--config",
    "dataRootDirectory": "--data-root-directory",
    "formatNotices": "--format-notices",
    "listenInterface": "--listen-interface",
    "notices": "--notices",
    "serverList": "--server-list",
}
_STOCK_FLAGS = {"formatNotices"}
#: Without a configuration file there is no network to name; the deployed programs use this for testing.
_TEST_ID = "F" * 16
#: Characters in the longest file name; an entry is longer.
_LONGEST_NAME = 255


class _StockSpelling(click.Command):
    """Also understands the deployed client's way of writing options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [word for arg in args for word in _translate(arg)])


def _translate(arg: str) -> Iterable[str]:
    name, equals, value = arg.lstrip("-").partition("=")
    if not arg.startswith("-") or name not in _STOCK_OPTIONS:
        return (arg,)
    if name in _STOCK_FLAGS:
        return () if value.lower() in ("false", "0", "f") else (_STOCK_OPTIONS[name],)
    return (_STOCK_OPTIONS[name], value) if equals else (_STOCK_OPTIONS[name],)


@click.command(cls=_StockSpelling, epilog="The options of the stock console client work too: -config FILE.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file, in the stock format.")
@click.option("--entry", help="A server entry, or a file that holds one; instead of a configuration file.")
@click.option("--server-list", type=click.Path(path_type=Path), help="File with one server entry per line.")
@click.option("--socks-port", type=click.IntRange(0, 65535), help="Port of the local SOCKS proxy, 0 for any.")
@click.option("--http-port", type=click.IntRange(0, 65535), help="Port of the local HTTP proxy, 0 for any.")
@click.option("--prefix", is_flag=True, help="Begin obfuscated tunnels like an HTTP request.")
@click.option("--data-root-directory", type=click.Path(), help="Where the client keeps its files.")
@click.option("--listen-interface", help='Where to listen: "" for this machine only, "any" for everybody.')
@click.option("--notices", type=click.Path(), help="Append notices to this file instead of standard error.")
@click.option("--format-notices", is_flag=True, help="Write notices for people instead of programs.")
def client(
    config: Path | None,
    entry: str | None,
    server_list: Path | None,
    notices: str | None,
    format_notices: bool,
    **options: Any,
) -> None:
    """Connect to a server and offer it to applications as local SOCKS and HTTP proxies.

    What happens is told in notices, one JSON object a line. The proxies are usable once a notice says
    "Tunnels" with a count of 1. Ctrl-C ends the client.

    \b
    headrace client --entry server-entry.dat --socks-port 1080
    curl --proxy socks5h://127.0.0.1:1080 https://example.com/
    """
    settings = _read_settings(config, entry, options)
    if settings.data_root_directory and not Path(settings.data_root_directory).is_dir():
        raise OperatorError(
            f"the data directory {settings.data_root_directory} does not exist; make it first"
        )
    entries = _entries(settings, server_list, "TargetServerEntry" if entry is None else "--entry")
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_open_notices(notices)) if notices else sys.stderr
        told = Notices(stream, SYSTEM_CLOCK, NoticeOptions.from_config(settings, human=format_notices))
        if listening_address(settings.listen_interface) != "127.0.0.1":
            click.echo("headrace: anybody who reaches this machine can use its proxies", err=True)
        _run(settings, entries, told)


def _run(settings: ClientConfig, entries: list[ServerEntry], notices: Notices) -> None:
    from headrace.client.controller import Controller
    from headrace.net.loop import run

    async def main() -> None:
        controller = Controller(settings, entries, notices)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, controller.stop)
        await controller.run()

    run(main())


def _read_settings(config: Path | None, entry: str | None, options: dict[str, Any]) -> ClientConfig:
    fields = {
        "LocalSocksProxyPort": options["socks_port"],
        "LocalHttpProxyPort": options["http_port"],
        "DataRootDirectory": options["data_root_directory"],
        "ListenInterface": options["listen_interface"],
    }
    overrides: dict[str, object] = {name: value for name, value in fields.items() if value is not None}
    if entry is not None:
        overrides["TargetServerEntry"] = _entry_line(entry)
    if options["prefix"]:
        from headrace.obfuscation.default_prefix import CLIENT_SPECS, DEFAULT_SPEC

        overrides["OSSHPrefixSpecs"] = CLIENT_SPECS
        overrides["OSSHPrefixScopedSpecNames"] = {"": [DEFAULT_SPEC]}
        overrides["OSSHPrefixProbability"] = 1.0
    if config is None and entry is None:
        raise OperatorError(
            "nothing says which server to use; name a configuration (--config) or an entry (--entry)"
        )
    if config is None:
        names = {"PropagationChannelId": _TEST_ID, "SponsorId": _TEST_ID}
        return read_client_config(json.dumps(names).encode(), "the command line", overrides)
    return read_client_config(read_file(config, "the configuration"), str(config), overrides)


def _entry_line(entry: str) -> str:
    """Return the entry itself, or the one in the file of that name."""
    is_hex = set(entry) <= set("0123456789abcdefABCDEF")
    if is_hex and not (len(entry) <= _LONGEST_NAME and Path(entry).exists()):
        return entry
    text = read_file(Path(entry), "the server entry file").decode("ascii", "replace").split()
    if len(text) != 1:
        raise OperatorError(f"{entry} holds {len(text)} server entries; use --server-list for several")
    return text[0]


def _entries(settings: ClientConfig, server_list: Path | None, target_name: str) -> list[ServerEntry]:
    """Return the entries to choose from; a target entry excludes all others."""
    if settings.target_server_entry:
        return [_target(settings.target_server_entry, target_name)]
    entries = _import(settings.embedded_server_entries, "EmbeddedServerEntryList")
    if server_list is not None:
        text = read_file(server_list, "the server list").decode("ascii", "replace")
        entries += _import(text.splitlines(), str(server_list))
    if not entries:
        raise OperatorError(
            "there is no server entry to connect to; add TargetServerEntry to the configuration, "
            "or name a list with --server-list"
        )
    return entries


def _target(line: str, where: str) -> ServerEntry:
    try:
        entry = ServerEntry.decode(line, "TARGET", _now())
        entry.validate()
    except DocumentError as error:
        raise OperatorError(f"{where}: {error}") from error
    return entry


def _import(lines: Iterable[str], where: str) -> list[ServerEntry]:
    """Return the valid entries of a list; a line that does not decode is a mistake."""
    try:
        return [ServerEntry.from_fields(fields) for fields in stream_list(lines, "EMBEDDED", _now())]
    except DocumentError as error:
        raise OperatorError(f"{where}: {error}") from error


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")


def _open_notices(name: str) -> TextIO:
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperatorError(f"the notices file {name} cannot be written: {error.strerror}") from error
    return os.fdopen(descriptor, "a", encoding="utf-8")
