"""`headrace network backup`, `restore` and `lock`: the network in one file, and what opens it."""

from pathlib import Path

import click

from headrace.base.errors import OperatorError
from headrace.cli.files import open_output, read_file
from headrace.cli.network.place import DATABASE, KEY_FILE, Place, actor, new_key, with_place
from headrace.cli.progress import progress

__all__ = ["backup", "lock", "restore"]


@click.command()
@with_place
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def backup(place: Place, file: str) -> None:
    """Write the whole network to FILE, sealed: it opens with the key or passphrase of the network only.

    Two backups of the same state are the same to the byte. Keep them apart from the key.

    \b
    headrace network backup network.backup
    """
    with (
        place.book() as book,
        progress("backing up", in_bytes=False) as bar,
        open_output(file, private=True) as out,
    ):
        data = book.back_up(bar)
        out.write(data)
    click.echo(f"wrote {len(data):,} bytes to {file}", err=True)


@click.command()
@with_place
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def restore(place: Place, file: Path) -> None:
    """Make the network of a backup where there is none: all of it, or nothing.

    Its key file or passphrase is the one it had when the backup was made.

    \b
    headrace network restore --network new-place --key-file operator.key network.backup
    """
    from headrace.network.book import Book

    data = read_file(file, "the backup")
    if place.directory is not None and (place.directory / DATABASE).exists():
        raise OperatorError(f"there is a network in {place.directory} already; restore to another directory")
    with progress("restoring", in_bytes=False) as bar:
        Book.restore(data, place.url, place.key(), bar)
    click.echo(f"restored the network to {place.url}")


@click.command()
@with_place
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Lock it with this key from now on; the file is made unless it is there.",
)
@click.option("--new-passphrase", is_flag=True, help="Lock it with a passphrase, which is asked for.")
def lock(place: Place, new_key_file: Path | None, new_passphrase: bool) -> None:
    """Have the network open with another key file or passphrase from now on.

    Backups that were made before still open with the old one.

    \b
    headrace network lock --new-passphrase
    """
    if (new_key_file is None) == (not new_passphrase):
        raise OperatorError("choose one: --new-key-file FILE, or --new-passphrase")
    beside = place.directory / KEY_FILE if place.directory is not None else None
    with place.book(changes=True) as book:
        if new_passphrase:
            text = click.prompt(
                "New passphrase of the network", hide_input=True, confirmation_prompt=True, err=True
            )
            from headrace.network.vault import passphrase_key

            key = passphrase_key(text)
        else:
            key = new_key(new_key_file, None, passphrase=False)
        book.rewrap(key)
        with book.change(actor(), "lock") as change:
            change.record("meta", "operator key", {"kind": "passphrase" if new_passphrase else "key file"})
    click.echo("the network has a new lock")
    if beside is not None and beside.exists() and beside != new_key_file:
        click.echo(f"{beside} does not open it any more, only backups made before; move it to them")
