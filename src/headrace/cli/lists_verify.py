"""`headrace lists verify`: who signed a list, and what is in it."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import STANDARD, open_output, read_file
from headrace.cli.keys import list_verifying_key
from headrace.cli.package_report import Report, SignedFile, examine, open_signed
from headrace.cli.sloks_file import read_sloks
from headrace.cli.words import entries, printable
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.secret_box import open_box
from headrace.documents.osl.key_shares import Known
from headrace.documents.osl.registry import FileSpec, read_registry
from headrace.documents.osl.urls import file_name

__all__ = ["show_report", "verify"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--public-key",
    "key_names",
    required=True,
    multiple=True,
    help="A key that may have signed: its text, a file, or a client's configuration.",
)
@click.option(
    "--sloks", type=click.Path(path_type=Path), help="Keys of obfuscated lists, as JSON: what do they open?"
)
@click.option(
    "--registry", type=click.Path(path_type=Path), help="The registry that names FILE, an obfuscated list."
)
@click.option(
    "--output", help='Write what was signed to this file: entries, or JSON of a registry. Or to "-".'
)
@click.option("--json", "as_json", is_flag=True, help="Report as a JSON object.")
def verify(
    file: Path,
    key_names: tuple[str, ...],
    sloks: Path | None,
    registry: Path | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Check a signed list, a registry or an obfuscated list, and say what is in it.

    The exit code is 1 when the signature is bad or something in the file is wrong. Keys of obfuscated lists
    are JSON as servers send it: {"SLOKs": [{"ID": base64, "Key": base64}]}.

    \b
    headrace lists verify server_list_compressed --public-key list-key.pub
    headrace lists verify osl-registry --public-key client.config --sloks sloks.json
    headrace lists verify osl-0123 --public-key client.config --sloks sloks.json --registry osl-registry
    headrace lists verify server_list --public-key list-key.pub --output - | headrace entries show -
    """
    keys = [list_verifying_key(name) for name in key_names]
    known = None if sloks is None else read_sloks(sloks).get
    data = read_file(file, "the list")
    to_stderr = output == STANDARD
    try:
        if registry is None:
            signed = open_signed(data, keys)
            report = examine(signed, known)
        else:
            if known is None:
                raise OperatorError("an obfuscated list is opened with keys; name them with --sloks")
            signed = _open_osl(file, data, registry, keys, known)
            report = examine(signed, None, "obfuscated list")
    except DocumentError as error:
        if as_json:
            click.echo(json.dumps({"file": str(file), "problems": [str(error)]}), err=to_stderr)
        else:
            click.echo(f"{file}: {error}", err=True)
        sys.exit(1)
    show_report(str(file), signed, report, as_json=as_json, to_stderr=to_stderr)
    if output is not None:
        try:
            payload = signed.payload()
        except DocumentError as error:
            raise OperatorError(f"{output} is not written: {error}", exit_code=1) from error
        with open_output(output, private=True) as stream:
            stream.write(payload)
    sys.exit(1 if report.problems else 0)


def show_report(
    file: str,
    signed: SignedFile,
    report: Report,
    *,
    as_json: bool,
    to_stderr: bool,
    more: Mapping[str, object] | None = None,
) -> None:
    """Print what was found out about a file; for programs, `more` too."""
    if as_json:
        told = {
            "file": file,
            "kind": report.kind,
            "signedBy": signed.key.digest,
            **report.figures,
            **({} if report.openable is None else {"openable": report.openable}),
            "problems": report.problems,
            "moreProblems": report.more_problems,
            **(more or {}),
        }
        click.echo(json.dumps(told), err=to_stderr)
        return
    lines = [f"{file}: {_in_words(report)}", f"signed with the key whose digest is {signed.key.digest}"]
    lines += report.problems
    if report.more_problems:
        lines.append(f"and {report.more_problems} more problems")
    click.echo(printable("\n".join(lines)), err=to_stderr)


def _in_words(report: Report) -> str:
    figures = report.figures
    if not figures:
        return f"{report.kind} that cannot be read to its end"
    if report.kind != "registry":
        return (
            f"{report.kind} of {entries(figures['entries'])}, "
            f"{figures['unsigned']} without a signature of their own"
        )
    words = (
        f"registry of {figures['lists']} lists, {figures['withSum']} with an MD5 sum, "
        f"keys split on {figures['depth']} levels"
    )
    if report.openable is not None:
        words += f"\nthe keys open {len(report.openable)} of them"
        words += "".join(f"\n  osl-{name}" for name in report.openable)
    return words


def _open_osl(
    file: Path, data: bytes, registry: Path, keys: Sequence[PackageVerifyingKey], known: Known
) -> SignedFile:
    try:
        specs = read_registry(open_signed(read_file(registry, "the registry"), keys).chunks())
        spec = next((spec for spec in specs if _names(spec, file, data)), None)
    except DocumentError as error:
        raise OperatorError(f"{registry}: {error}", exit_code=1) from error
    if spec is None:
        raise OperatorError(
            f"{registry} does not name {file.name}; take the registry that was published with it"
        )
    return open_signed(open_box(spec.file_key(known), data), keys)


def _names(spec: FileSpec, file: Path, data: bytes) -> bool:
    return (
        file.name == file_name(spec.id) or spec.md5_sum == hashlib.md5(data, usedforsecurity=False).digest()
    )
