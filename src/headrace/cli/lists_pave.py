"""`headrace lists pave`: the obfuscated lists of every propagation channel, with their registries."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import DocumentError, OperatorError
from headrace.cli import words
from headrace.cli.entry_lines import importable
from headrace.cli.files import read_file
from headrace.cli.keys import list_signing_key
from headrace.cli.progress import Bar, progress
from headrace.cli.root import complain
from headrace.codec.go_duration import parse_duration
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.osl.config import OslConfig, read_osl_config
from headrace.documents.osl.paver import PaveFile, current_osl_id
from headrace.documents.osl.paver import pave as pave_channel
from headrace.documents.osl.payload import read_payload

__all__ = ["pave"]

_SECOND = 1_000_000_000  # nanoseconds


@dataclass(frozen=True, slots=True)
class _Job:
    """What there is to pave, for whichever channel."""

    config: OslConfig
    entries: Mapping[str, list[str]]
    start: int | None
    end: int
    key: PackageSigningKey
    omit_md5: Collection[int]
    omit_empty: Collection[int]

    def channels(self, others: Collection[str]) -> list[str]:
        """Return every channel that a scheme names and the others, each once."""
        named = [channel for scheme in self.config.schemes for channel in scheme.propagation_channel_ids]
        return list(dict.fromkeys((*named, *others)))


@click.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The OSL configuration.")
@click.option("--payload", type=click.Path(path_type=Path), help="The entries, and the lists they go into.")
@click.option("--private-key", type=click.Path(path_type=Path), help="File with the key that signs.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Directory to write to; without it, nothing is written."
)
@click.option("--offset", metavar="DURATION", help="Begin so long ago, like 2880h, not at the first epoch.")
@click.option("--period", metavar="DURATION", help="End so long after the beginning.")
@click.option(
    "--omit-md5sums", "omit_md5", type=int, multiple=True, help="Tell no MD5 sums of this scheme, from 0."
)
@click.option("--omit-empty", type=int, multiple=True, help="Make no empty lists of this scheme, from 0.")
@click.option(
    "--empty-registry",
    "others",
    multiple=True,
    metavar="CHANNEL",
    help="Make a registry without lists for this channel.",
)
@click.option("--list-scheme", type=int, help="Only print the IDs of this scheme's current lists, from 0.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def pave(
    config: Path,
    payload: Path | None,
    private_key: Path | None,
    output: Path | None,
    offset: str | None,
    period: str | None,
    omit_md5: tuple[int, ...],
    omit_empty: tuple[int, ...],
    others: tuple[str, ...],
    list_scheme: int | None,
    as_json: bool,
) -> None:
    """Make the obfuscated lists of all propagation channels, and a registry for each.

    The files go to OUTPUT/CHANNEL/osl-registry and OUTPUT/CHANNEL/osl-ID, to be published together. Lists are
    made from the first epoch until one list of each scheme after now, empty ones too. The configuration is
    the one that the servers have, which hand out the keys.

    The payload is JSON: [{"ServerEntry": line, "OSLIDs": [hexadecimal IDs]}, ...]. If it names an ID that no
    list has, the exit code is 1, but all the others are written.

    A key may be locked with a password, which is then asked for, or is in HEADRACE_KEY_PASSWORD.

    \b
    headrace lists pave --config osl.json --list-scheme 0
    headrace lists pave --config osl.json --payload payload.json --private-key list-key --output osl
    """
    schemes = read_osl_config(read_file(config, "the OSL configuration"), str(config))
    now = round(SYSTEM_CLOCK.time()) * _SECOND
    for scheme in (*omit_md5, *omit_empty, *(() if list_scheme is None else (list_scheme,))):
        if not 0 <= scheme < len(schemes.schemes):
            raise OperatorError(
                f"there is no scheme {scheme}: {config} has {len(schemes.schemes)}, counted from 0"
            )
    if list_scheme is not None:
        _show_current(schemes, list_scheme, now, as_json)
        return
    if private_key is None:
        raise OperatorError("lists are signed; name the key's file with --private-key")
    start = None if offset is None else now - _nanoseconds("--offset", offset)
    if period is None:
        end = now + sum(scheme.duration for scheme in schemes.schemes)
    else:
        first = min((now, *(scheme.start for scheme in schemes.schemes))) if start is None else start
        end = first + _nanoseconds("--period", period)
    entries = _entries(payload) if payload else {}
    job = _Job(schemes, entries, start, end, list_signing_key(private_key), omit_md5, omit_empty)
    paved: set[str] = set()
    with progress("paving", in_bytes=False) as bar:
        made = {channel: _pave_channel(job, channel, output, paved, bar) for channel in job.channels(others)}
    for channel, files in made.items():
        _report(channel, files, output, as_json)
    unknown = [osl_id for osl_id in entries if osl_id not in paved]
    for osl_id in unknown:
        complain(f"no list has the ID {osl_id}: left out {words.entries(len(entries[osl_id]))}")
    sys.exit(1 if unknown else 0)


def _pave_channel(job: _Job, channel: str, output: Path | None, paved: set[str], bar: Bar) -> list[PaveFile]:
    """Make a channel's files and put them where they belong; return them without their contents.

    They are all made before the first one is moved to its place, and the registry is moved last: whoever
    publishes or breaks off at any time has no registry that promises more than there is.
    """
    made = []
    with _staged(output, channel) as write:
        for file in pave_channel(
            job.config,
            channel,
            job.start,
            job.end,
            job.entries,
            job.key,
            omit_md5=job.omit_md5,
            omit_empty=job.omit_empty,
        ):
            write(file)
            made.append(replace(file, contents=b""))
            if file.osl_id:
                paved.add(file.osl_id.hex())
            bar(len(paved), None)
    return made


@contextlib.contextmanager
def _staged(output: Path | None, channel: str) -> Iterator[Callable[[PaveFile], None]]:
    """Yield what takes files; those taken appear in the channel's directory at the end of the block."""
    if output is None:
        yield lambda file: None
        return
    if not channel or "/" in channel or channel in (".", ".."):
        raise OperatorError(
            f"{channel!r} cannot be a directory's name; mend the channel in the configuration"
        )
    target = output / channel
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target) as draft:
            names: list[str] = []

            def take(file: PaveFile) -> None:
                path = Path(draft, file.name)
                path.write_bytes(file.contents)
                names.append(file.name)

            yield take
            for name in names:
                Path(draft, name).replace(target / name)
    except OSError as error:
        raise OperatorError(f"{target} cannot be written: {error.strerror}") from error


def _report(channel: str, files: list[PaveFile], output: Path | None, as_json: bool) -> None:
    *lists, _registry = files
    if as_json:
        for file in lists:
            told = {
                "channel": channel,
                "scheme": file.scheme,
                "id": file.osl_id.hex(),
                "start": _utc(file.start),
                "seconds": file.duration // _SECOND,
                "entries": file.entries,
            }
            click.echo(json.dumps(told))
        return
    total = sum(file.entries for file in lists)
    where = "nothing written" if output is None else f"wrote {output / channel}"
    click.echo(f"{channel}: {len(lists)} lists with {words.entries(total)}, and their registry; {where}")


def _show_current(config: OslConfig, index: int, now: int, as_json: bool) -> None:
    scheme = config.schemes[index]
    for channel in scheme.propagation_channel_ids:
        osl_id = current_osl_id(scheme, channel, now).hex()
        click.echo(json.dumps({"channel": channel, "id": osl_id}) if as_json else f"{channel} {osl_id}")


def _entries(path: Path) -> dict[str, list[str]]:
    """Return the lines that go into each list, by its ID. Raises OperatorError, naming what is wrong."""
    try:
        entries = read_payload(read_file(path, "the payload"), str(path))
    except DocumentError as error:
        raise OperatorError(f'{error}; write [{{"ServerEntry": line, "OSLIDs": [IDs]}}]') from error
    for osl_id, lines in entries.items():
        for number, line in enumerate(lines, start=1):
            try:
                importable(line)
            except DocumentError as error:
                raise OperatorError(
                    f"{path}: entry {number} of list {osl_id}: {error}; mend it or take it out"
                ) from error
    return entries


def _nanoseconds(option: str, text: str) -> int:
    try:
        return round(parse_duration(text) * _SECOND)
    except ValueError as error:
        raise OperatorError(
            f"{option}: {text!r} is no duration; write for instance 2880h for 120 days"
        ) from error


def _utc(time: int) -> str:
    return datetime.fromtimestamp(time // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
