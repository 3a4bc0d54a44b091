"""`headrace client`: find a server, keep a tunnel to it, offer local proxies."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.cli.config_options import config_options, given_fields
from headrace.cli.files import read_file
from headrace.cli.stock import (
    StockCommand,
    build_info,
    is_stock,
    notices_file,
    show_version,
    stock_errors,
)
from headrace.cli.system_proxy_option import system_proxy_option
from headrace.cli.upstream_proxy_option import chosen_proxy, upstream_proxy_option
from headrace.client.assembly import Assembly, data_directory, target_entry
from headrace.client.control_place import ControlPlace, usable_place
from headrace.client.data_directory import DataDirectory, default_data_directory
from headrace.client.notice_files import NoticeFiles
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.proxy_options import ProxyOptions
from headrace.documents.client_config import ClientConfig, NoticeFileSettings, read_client_config
from headrace.net.interfaces import listening_address
from headrace.obfuscation.default_prefix import CLIENT_SPECS, DEFAULT_SPEC, FRAMED

__all__ = ["client"]

#: Without a configuration file there is no network to name; the deployed programs use this for testing.
_TEST_ID = "F" * 16
#: What a client in one file has built in.
_BUNDLE = "HEADRACE_BUNDLE"
_SIZE = click.IntRange(min=0)
#: Characters in the longest file name; an entry is longer.
_LONGEST_NAME = 255


@click.command(cls=StockCommand, epilog="The options of the stock console client work too: -config FILE.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file, in the stock format.")
@click.option(
    "--entry",
    envvar="HEADRACE_ENTRY",
    show_envvar=True,
    help="A server entry, or a file that holds one; instead of a configuration file.",
)
@click.option(
    "--link",
    metavar="LINK|FILE",
    help="An access link, or a file that holds one; stands for a configuration.",
)
@click.option("--server-list", type=click.Path(path_type=Path), help="File with one server entry per line.")
@click.option(
    "--prefix",
    is_flag=False,
    flag_value=DEFAULT_SPEC,
    metavar="[NAME]",
    help=f"Begin every obfuscated tunnel like this: {', '.join(CLIENT_SPECS)}, or none. "
    f"{DEFAULT_SPEC} is what servers that know it get anyway.",
)
@upstream_proxy_option
@config_options
@system_proxy_option
@click.option("--notices", type=click.Path(), help="Append notices to this file instead of standard error.")
@click.option("--format-notices", is_flag=True, help="Write notices for people instead of programs.")
@click.option("--use-notice-files", is_flag=True, help="Write notices to files in the data directory, too.")
@click.option("--rotating-file-size", type=_SIZE, help="Bytes in such a file before the next; 0 is 1 MiB.")
@click.option("--rotating-sync-frequency", type=_SIZE, help="Lines between writing them to disk; 0 is 100.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, hidden=True, callback=show_version
)
@click.option("--control", metavar="NAME", hidden=True, help="Run as the client of this name, to be asked.")
def client(
    config: Path | None,
    entry: str | None,
    link: str | None,
    server_list: Path | None,
    notices: str | None,
    format_notices: bool,
    control: str | None,
    system_proxy: str,
    **options: Any,
) -> None:
    """Connect to a server and offer it to applications as local SOCKS and HTTP proxies.

    What happens is told in notices, one JSON object a line. The proxies are usable once a notice says
    "Tunnels" with a count of 1. Ctrl-C ends the client.

    \b
    headrace client --entry server-entry.dat --socks-port 1080
    curl --proxy socks5h://127.0.0.1:1080 https://example.com/
    """
    with contextlib.ExitStack() as stack:
        hear_errors = stack.enter_context(stock_errors(notices, human=format_notices))
        settings = _through(options["upstream_proxy"], _read_settings(config, entry, link, options))
        target = target_entry(settings, "TargetServerEntry" if entry is None else "--entry")
        lists = {}
        if server_list is not None:
            text = read_file(server_list, "the server list").decode("ascii", "replace")
            lists[str(server_list)] = text.splitlines()
        place = usable_place(control) if control is not None else None
        if place is not None:
            stack.enter_context(place.held())
        directory = _data_directory(settings)
        told = _notices(stack, settings, directory, notices, human=format_notices, unseen=place is not None)
        told.listen(hear_errors)
        told.emit("BuildInfo", buildInfo=build_info())
        if warning := ProxyOptions.of(settings).warning:
            click.echo(f"headrace: {warning}", err=True)
        opened = Assembly.opened(settings, told, directory=directory, target=target, lists=lists)
        _run(stack.enter_context(opened), place, system_proxy)


def _notices(
    stack: contextlib.ExitStack,
    settings: ClientConfig,
    directory: DataDirectory | None,
    file: str | None,
    *,
    human: bool,
    unseen: bool,
) -> Notices:
    """Return notices to wherever they are wanted; of a client that is `unseen` nobody reads the stream."""
    files = None
    wanted = settings.use_notice_files
    if unseen and file is None:
        file = os.devnull
        wanted = wanted or (NoticeFileSettings() if directory is not None else None)
    if wanted is not None:
        if directory is None:
            raise OperatorError(
                "notice files are kept in the data directory; name one with --data-root-directory"
            )
        try:
            files = NoticeFiles(directory.path, wanted)
        except OSError as error:
            raise OperatorError(
                f"the notice files in {directory.path} cannot be written: {error.strerror}"
            ) from error
        stack.callback(files.close)
    stream = stack.enter_context(notices_file(file)) if file else sys.stderr
    options = NoticeOptions.from_config(settings, human=human, errors=is_stock())
    return Notices(stream, SYSTEM_CLOCK, options, files)


def _run(assembly: Assembly, place: ControlPlace | None, system_proxy: str) -> None:
    from headrace.client.attended import attended
    from headrace.client.journal_file import JournalFile
    from headrace.client.system_proxy import offered
    from headrace.establishment.journal import Journal
    from headrace.net.loop import run

    async def main() -> None:
        notices, journal = assembly.notices, Journal()
        controller = assembly.controller(journal)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, controller.stop)
        async with contextlib.AsyncExitStack() as stack:
            data = assembly.directory.path if assembly.directory is not None else None
            address = listening_address(assembly.config.listen_interface)
            if place is not None:
                asked = attended(place, notices, journal, controller.stop, data=data, address=address)
                await stack.enter_async_context(asked)
            elif data is not None:  # to be explained afterwards
                await stack.enter_async_context(JournalFile(data).following(journal, SYSTEM_CLOCK))
            offer = offered(system_proxy, notices, controller.stop, address=address)
            await stack.enter_async_context(offer)
            await controller.run()

    run(main())


def _data_directory(settings: ClientConfig) -> DataDirectory | None:
    """Return where files are kept; None for a client of one given server, which has nothing to keep."""
    if settings.data_root_directory:
        return data_directory(Path(settings.data_root_directory))
    return None if settings.target_server_entry else data_directory(default_data_directory(), make=True)


def _read_settings(
    config: Path | None, entry: str | None, link: str | None, options: dict[str, Any]
) -> ClientConfig:
    overrides = given_fields(options)
    if options["upstream_proxy"]:
        overrides["UpstreamProxyURL"] = ""  # whatever the file says
    if options["use_notice_files"]:
        overrides["UseNoticeFiles"] = {
            "RotatingFileSize": options["rotating_file_size"],
            "RotatingSyncFrequency": options["rotating_sync_frequency"],
        }
    if entry is not None:
        overrides["TargetServerEntry"] = _entry_line(entry)
    if (prefix := options["prefix"]) is not None:
        overrides |= _prefix_fields(prefix)
    if link is not None:
        if config is not None or entry is not None:
            raise OperatorError("a link says which servers to use: leave --config and --entry out")
        return _linked(link, overrides)
    if config is None and entry is None and (bundle := os.environ.get(_BUNDLE)):
        config = Path(bundle)
        if "DataRootDirectory" not in overrides:
            overrides |= _kept_for(json.loads(read_file(config, "the bundle")))
    if config is None and entry is None:
        raise OperatorError(
            "nothing says which server to use; give an access link, a configuration (--config) or an entry"
            " (--entry)"
        )
    if config is None:
        names = {"PropagationChannelId": _TEST_ID, "SponsorId": _TEST_ID}
        return read_client_config(json.dumps(names).encode(), "the command line", overrides)
    return read_client_config(read_file(config, "the configuration"), str(config), overrides)


def _linked(given: str, overrides: dict[str, Any]) -> ClientConfig:
    from headrace.cli.access import link_text, open_link

    found = open_link(link_text(given))
    if "DataRootDirectory" not in overrides:
        overrides |= _kept_for(found.configuration)
    return read_client_config(json.dumps(found.configuration).encode(), "the access link", overrides)


def _kept_for(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields by which what belongs to one network is kept apart from all others'."""
    from headrace.cli.access import network_directory

    return {"DataRootDirectory": str(network_directory(configuration, default_data_directory()))}


def _prefix_fields(name: str) -> dict[str, Any]:
    """Return the fields of a configuration that has every obfuscated tunnel begin like this."""
    if name == "none":
        return {"ShippedPrefixes": [], "OSSHPrefixProbability": 0}
    if name not in CLIENT_SPECS:
        raise OperatorError(f"there is no prefix {name}: there are {', '.join(CLIENT_SPECS)}, and none")
    fields: dict[str, Any] = {"ShippedPrefixes": [name]}
    if name not in FRAMED:  # frames are taken apart by servers that say so only
        fields["OSSHPrefixSpecs"] = {name: CLIENT_SPECS[name]}
        fields["OSSHPrefixScopedSpecNames"] = {"": [name]}
        fields["OSSHPrefixProbability"] = 1.0
    return fields


def _through(wanted: str | None, settings: ClientConfig) -> ClientConfig:
    """Return settings with the upstream proxy that is `wanted`, which is none of the client's own."""
    own_ports = {settings.local_socks_proxy_port, settings.local_http_proxy_port}
    url = chosen_proxy(wanted, settings.upstream_proxy_url, own_ports)
    return msgspec.structs.replace(settings, upstream_proxy_url=url)


def _entry_line(entry: str) -> str:
    """Return the entry itself, or the one in the file of that name."""
    is_hex = set(entry) <= set("0123456789abcdefABCDEF")
    if is_hex and not (len(entry) <= _LONGEST_NAME and Path(entry).exists()):
        return entry
    text = read_file(Path(entry), "the server entry file").decode("ascii", "replace").split()
    if len(text) != 1:
        raise OperatorError(f"{entry} holds {len(text)} server entries; use --server-list for several")
    return text[0]
