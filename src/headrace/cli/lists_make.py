"""`headrace lists make`: entries, signed together as the common remote list."""

import hashlib
import json
from pathlib import Path

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.entry_lines import entry_lines, sources_argument
from headrace.cli.files import STANDARD, open_output
from headrace.cli.keys import list_signing_key
from headrace.cli.progress import progress
from headrace.cli.words import entries
from headrace.documents.signed_package import make_package

__all__ = ["make"]


@click.command()
@sources_argument
@click.option(
    "--private-key", type=click.Path(path_type=Path), required=True, help="File with the key that signs."
)
@click.option("--output", required=True, help='File to write; "-" is standard output.')
@click.option("--plain", is_flag=True, help="Leave the list uncompressed, as very old clients read it.")
@click.option("--json", "as_json", is_flag=True, help="Report as a JSON object.")
def make(sources: tuple[str, ...], private_key: Path, output: str, plain: bool, as_json: bool) -> None:
    """Sign a list of entries, so that clients can take it from anybody.

    The lines go into the list as they are. A line that a client could not import is refused, and no list is
    made. Stores that clients fetch from are expected to give the MD5 sum as the ETag, as S3 does.

    In the deployed network the file is called server_list_compressed, and the plain one server_list. A key
    may be locked with a password, which is then asked for, or is in HEADRACE_KEY_PASSWORD.

    \b
    headrace lists make servers.list --private-key list-key --output server_list_compressed
    """
    key = list_signing_key(private_key)
    lines: list[str] = []
    unsigned = 0
    with progress("reading") as bar:
        for line in entry_lines(sources, bar):
            try:
                fields = line.importable()
            except DocumentError as error:
                raise OperatorError(f"{error}; mend the line or take it out") from error
            lines.append(line.text)
            unsigned += not fields.get("signature")
    package = make_package("\n".join(lines), key, compress=not plain)
    with open_output(output) as stream:
        stream.write(package)
    md5 = hashlib.md5(package, usedforsecurity=False).hexdigest()
    report = {"file": output, "bytes": len(package), "entries": len(lines), "unsigned": unsigned}
    if as_json:
        click.echo(json.dumps({**report, "md5": md5, "etag": f'"{md5}"'}), err=output == STANDARD)
        return
    click.echo(
        f"{output}: {entries(len(lines))}, {unsigned:,} without a signature of their own\n"
        f"{len(package):,} bytes, MD5 and ETag {md5}",
        err=output == STANDARD,
    )
