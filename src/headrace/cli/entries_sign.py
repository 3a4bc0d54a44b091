"""`headrace entries sign`, `verify` and `keygen`: who vouches for a server entry."""

import json
import os
import sys
from pathlib import Path

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.entry_lines import entry_lines, sources_argument
from headrace.cli.files import STANDARD, open_output
from headrace.cli.keys import entry_signing_key, entry_verifying_key, write_pair
from headrace.cli.progress import progress
from headrace.cli.words import printable
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import diagnostic_id, encode_fields, entry_tag
from headrace.documents.entry_signature import sign_entry, verify_entry

__all__ = ["keygen", "sign", "verify"]

#: Where the deployed signer looks for the entry.
_ENTRY = "SIGNER_SERVER_ENTRY"


@click.command()
@sources_argument
@click.option(
    "--private-key",
    type=click.Path(path_type=Path),
    help="File with the private key; without it, the key is in SIGNER_PRIVATE_KEY in the environment.",
)
@click.option("--output", default=STANDARD, help="File to write, instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of the entry alone.")
def sign(sources: tuple[str, ...], private_key: Path | None, output: str, as_json: bool) -> None:
    """Sign entries, and print them signed. A signature that was there is replaced.

    An entry that clients would refuse is not signed, and then none is. Without a source, the entry is in
    SIGNER_SERVER_ENTRY in the environment; if SIGNER_PUBLIC_KEY is there too, it must belong to the private
    key.

    \b
    headrace entries sign server-entry.dat --private-key signing-key --output signed.dat
    """
    key = entry_signing_key(private_key)
    given = sources or tuple(os.environ.get(_ENTRY, "").split())
    with open_output(output, private=True) as stream, progress("signing") as bar:
        for line in entry_lines(given, bar):
            try:
                fields = line.importable()
            except DocumentError as error:
                raise OperatorError(f"{error}; mend the entry before it is signed") from error
            signed = sign_entry(fields, key)
            text = encode_fields(signed)
            if as_json:
                text = json.dumps({"line": line.where, **_names(signed), "entry": text})
            stream.write(text.encode() + b"\n")


@click.command()
@sources_argument
@click.option("--public-key", required=True, help="The key: its text, a file, or a client's configuration.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def verify(sources: tuple[str, ...], public_key: str, as_json: bool) -> None:
    """Check who signed entries; a line for each says what came out.

    The exit code is 0 when all signatures are good and 1 when any is not. Of a configuration, the field
    ServerEntrySignaturePublicKey counts.

    \b
    headrace entries verify servers.list --public-key signing-key.pub
    headrace entries verify servers.list --public-key client.config
    """
    key = entry_verifying_key(public_key)
    good = bad = 0
    with progress("verifying", quiet=sys.stdout.isatty()) as bar:  # where the lines move by themselves
        for line in entry_lines(sources, bar):
            names: dict[str, object] = {}
            problem = ""
            try:
                fields = line.decode()
                names = _names(fields)
                verify_entry(fields, key)
            except DocumentError as error:
                problem = str(error).removeprefix(f"{line.where}: ")
            good, bad = (good, bad + 1) if problem else (good + 1, bad)
            if as_json:
                click.echo(json.dumps({"line": line.where, **names, "good": not problem, "problem": problem}))
            else:
                name = diagnostic_id(str(names["tag"])) if names else ""
                click.echo(printable(f"{line.where}: {name} {problem or 'good'}".replace("  ", " ")))
    if not as_json and good + bad > 1:
        click.echo(f"{good} good, {bad} bad", err=True)
    sys.exit(1 if bad else 0)


@click.command()
@click.option("--output", required=True, help='File for the private key; the public one gets ".pub" added.')
@click.option("--force", is_flag=True, help="Replace a key that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def keygen(output: str, force: bool, as_json: bool) -> None:
    """Make a pair of keys to sign server entries with.

    Keep the private key where nobody else reads it: whoever has it decides which servers clients trust. The
    public key goes into clients' configurations, as ServerEntrySignaturePublicKey. As an output, "-" is
    standard output, and then the public key is told on standard error.

    \b
    headrace entries keygen --output signing-key
    """
    key = SigningKey.generate()
    write_pair(key.to_text(), key.public.to_text(), output, force=force, as_json=as_json)


def _names(fields: dict[str, object]) -> dict[str, object]:
    return {"tag": entry_tag(fields), "ipAddress": fields.get("ipAddress")}
