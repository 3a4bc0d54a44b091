"""`headrace network export` and `import`: the network's things as lines of JSON, for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli.files import open_output, read_file
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.keys import key_passphrase
from headrace.cli.network.place import Place, actor, new_key, with_place
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.vault import OperatorKey

__all__ = ["KINDS", "export", "import_"]

KINDS = ("channel", "sponsor", "campaign", "provider", "host", "server")

_seal = click.option(
    "--seal-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key file that seals secrets, instead of a passphrase.",
)


@click.command()
@with_place
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these; repeatable.")
@click.option("--new", "anew", is_flag=True, help="For another network, where all of it will be new.")
@click.option("--secrets", is_flag=True, help="With secrets, sealed; that it was done is recorded.")
@_seal
@click.option("--reason", default="", help="Why, for the audit log, if secrets go with it.")
def export(
    place: Place,
    file: str,
    kinds: tuple[str, ...],
    anew: bool,
    secrets: bool,
    seal_file: Path | None,
    reason: str,
) -> None:
    """Write what there is to FILE, a line of JSON for each thing: to look at, to change, and to import again.

    Without --secrets nobody needs a key to read it. With them all of it is sealed: by a passphrase, asked for
    or taken from HEADRACE_KEY_PASSPHRASE, or by a key file, which is made unless it is there.

    \b
    headrace network export servers.jsonl --kind host --kind server
    headrace network export everything.sealed --secrets --new --seal-file seal.key
    """
    from headrace.network.lifecycle.exchange import export_rows, export_sealed

    if seal_file is not None and not secrets:
        raise click.UsageError("--seal-file is for secrets: give --secrets, too.")
    chosen = kinds or KINDS
    if secrets:
        seal = new_key(seal_file, None, passphrase=False) if seal_file else key_passphrase(file, new=True)
        with place.book(changes=True) as book, book.change(actor(), "export", reason) as change:
            data = export_sealed(change, seal, chosen, identified=not anew)
    else:
        with place.book() as book, book.view() as view:
            data = export_rows(view, chosen, identified=not anew)
    with open_output(file, private=secrets) as out:
        out.write(data)
    click.echo(f"wrote {len(data):,} bytes to {file}", err=True)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@_seal
@changes
def import_(changing: Changing, file: Path, seal_file: Path | None) -> None:
    """Take in the lines of FILE: all of them, or none if one is wrong.

    A line with an id changes what has it, unless somebody else has since the export; one without adds
    something new. What a line leaves out stays. A new server without secrets gets some, and is to be tested.

    \b
    headrace network import servers.jsonl --dry-run
    headrace network import everything.sealed --seal-file seal.key
    """
    from headrace.network.lifecycle.exchange import import_rows

    data = read_file(file, "the lines")
    seal = _seal_of(data, file, seal_file)
    with changing.change() as change:
        with progress("importing", in_bytes=False, quiet=changing.as_json) as bar:
            done = import_rows(change, data, seal, bar)
        changing.tell(
            f"{done.added.total():,} added, {done.changed.total():,} changed, {done.same:,} as they were",
            added=dict(done.added),
            altered={kind: count for kind, count in done.changed.items() if count},
            same=done.same,
        )


def _seal_of(data: bytes, file: Path, seal_file: Path | None) -> "OperatorKey | None":
    """Return what opens the lines; nothing for those that are open already."""
    from headrace.network.vault import file_key

    if seal_file is not None:
        return file_key(seal_file)
    try:
        data.decode()
    except UnicodeDecodeError:  # as everything that is sealed, and no JSON
        return key_passphrase(str(file))
    return None
