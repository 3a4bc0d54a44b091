"""`headrace lists fetch`: the common list from storage, as a client would get it."""

import asyncio
import hashlib
import json
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.cli.files import STANDARD, open_output, read_file
from headrace.cli.keys import list_verifying_key
from headrace.cli.lists_verify import show_report
from headrace.cli.package_report import examine, open_signed
from headrace.cli.progress import Bar, progress
from headrace.cli.upstream_proxy_option import chosen_proxy, upstream_proxy_option
from headrace.documents.config_reader import fold, read_object
from headrace.documents.signed_package import MAX_PACKAGE
from headrace.documents.transfer_urls import TransferURLs
from headrace.net.fetch import Download, DownloadFailed, resume_download
from headrace.net.http import Connector, HttpClient, direct
from headrace.net.loop import run
from headrace.net.tls import Trust
from headrace.net.upstream_proxy import UpstreamProxy

__all__ = ["fetch"]

_FIELDS = (
    "RemoteServerListURLs",
    "RemoteServerListUrl",
    "UpstreamProxyURL",
    "TrustedCACertificatesFilename",
    "DisableSystemRootCAs",
    "ClientVersion",
    "ClientPlatform",
)
_PAUSE = 2.0  # seconds between attempts


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the list is, and the way there."""

    urls: TransferURLs
    connect: Connector
    trust: Trust
    skip_verify: bool
    user_agent: str


@click.command()
@click.argument("url", required=False)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A client's configuration: its URLs, its key, its proxy.",
)
@click.option("--public-key", help="The key that signs the list: its text, a file, or a configuration.")
@click.option("--output", required=True, help='File to write; "-" is standard output.')
@upstream_proxy_option
@click.option("--skip-verify", is_flag=True, help="Take any TLS certificate: the list is signed anyhow.")
@click.option(
    "--attempts",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How often to try, going on each time.",
)
@click.option(
    "--timeout", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds for each attempt."
)
@click.option("--json", "as_json", is_flag=True, help="Report as a JSON object.")
def fetch(
    url: str | None,
    config: Path | None,
    public_key: str | None,
    output: str,
    upstream_proxy: str | None,
    skip_verify: bool,
    attempts: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Fetch a signed list, and write it once its signature is found good.

    It comes from the URL, or from where a client with this configuration gets it. A download that is cut
    short goes on where it stopped, in the next attempt and also when the command is run again. If the file
    is there already and storage has the same, nothing is transferred.

    \b
    headrace lists fetch https://storage.example/web/server_list_compressed \\
        --public-key list-key.pub --output new-list
    headrace lists fetch --config client.config --output new-list
    """
    if public_key is None and config is None:
        raise OperatorError("nothing says who signs the list; name the key with --public-key, or a --config")
    key = list_verifying_key(public_key or str(config))
    source = _source(url, config, upstream_proxy, skip_verify)
    if not Path(output).resolve().parent.is_dir():
        raise OperatorError(f"{output} is in a directory that does not exist; make it first")
    with tempfile.TemporaryDirectory() as elsewhere:
        draft = Path(elsewhere, "list") if output == STANDARD else Path(f"{output}.unverified")
        with progress("fetching") as bar:
            try:
                download = run(_download(source, draft, _etag(output), attempts, timeout, bar))
            except NetworkError as error:
                remedy = "" if output == STANDARD else "; run this again to go on where it stopped"
                raise OperatorError(f"the list could not be fetched: {error}{remedy}", 1) from error
        told = {
            "modified": download.modified,
            "bytesReceived": download.bytes_received,
            "etag": download.etag,
        }
        to_stderr = output == STANDARD
        if not download.modified:
            click.echo(
                json.dumps({"file": output, **told}) if as_json else f"{output}: unchanged", err=to_stderr
            )
            return
        data = read_file(draft, "the list")
        draft.unlink()
    try:
        signed = open_signed(data, [key])
    except DocumentError as error:
        raise OperatorError(f"what came is not to be trusted, and is not kept: {error}", 1) from error
    with open_output(output) as stream:
        stream.write(data)
    report = examine(signed, None)
    show_report(output, signed, report, as_json=as_json, to_stderr=to_stderr, more=told)
    sys.exit(1 if report.problems else 0)


async def _download(
    source: _Source, draft: Path, etag: str, attempts: int, timeout: float, bar: Bar
) -> Download:
    async with HttpClient(source.connect, source.trust) as client:
        for attempt in range(attempts):
            chosen = source.urls.select(attempt, SYSTEM_RNG)
            try:
                return await resume_download(
                    client,
                    chosen.url,
                    draft,
                    user_agent=source.user_agent,
                    timeout=timeout,
                    if_none_match=etag,
                    skip_verify=source.skip_verify or chosen.skip_verify,
                    max_size=MAX_PACKAGE,
                    progress=bar,
                )
            except DownloadFailed as error:
                if attempt == attempts - 1:
                    raise
                bar.tell(f"attempt {attempt + 1} of {attempts}: {error}")
                await asyncio.sleep(_PAUSE)
    raise AssertionError("there is at least one attempt")


def _source(url: str | None, config: Path | None, upstream_proxy: str | None, skip_verify: bool) -> _Source:
    """Return what the command line and the configuration say; the command line wins."""
    known: dict[str, object] = {}
    if config is not None:
        known, _ = fold(read_object(read_file(config, "the configuration"), str(config)), _FIELDS)
    proxy = chosen_proxy(upstream_proxy, _text(known, "UpstreamProxyURL"))
    ca_file = _text(known, "TrustedCACertificatesFilename")
    agent = f"{platform.system()}_{platform.machine()}"
    return _Source(
        urls=_urls(url, known, config),
        connect=UpstreamProxy.parse(proxy).connect if proxy else direct,
        trust=Trust(Path(ca_file) if ca_file else None, system=known.get("DisableSystemRootCAs") is not True),
        skip_verify=skip_verify,
        user_agent=(
            f"psiphon-tunnel-core/{_text(known, 'ClientVersion') or '0'} "
            f"({_text(known, 'ClientPlatform') or agent})"
        ),
    )


def _urls(url: str | None, known: dict[str, object], config: Path | None) -> TransferURLs:
    if url is not None:
        return TransferURLs.single(url)
    if known.get("RemoteServerListURLs"):
        return TransferURLs.from_fields(known["RemoteServerListURLs"], f"{config}: RemoteServerListURLs")
    if single := _text(known, "RemoteServerListUrl"):
        return TransferURLs.single(single)
    raise OperatorError(
        "nothing says where the list is; give its URL, or a --config that has RemoteServerListURLs"
    )


def _text(known: dict[str, object], name: str) -> str:
    value = known.get(name)
    return value if isinstance(value, str) else ""


def _etag(output: str) -> str:
    """Return the ETag that S3 gives to what is there already: the MD5 sum, in quotes."""
    if output == STANDARD or not os.path.isfile(output):
        return ""
    data = read_file(Path(output), "the list")
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
