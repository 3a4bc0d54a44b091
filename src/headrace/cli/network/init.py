"""`headrace network init`: an empty network with its keys."""

import json
import shlex
from pathlib import Path

import click

from headrace.base.errors import OperatorError
from headrace.cli.network.place import DATABASE, KEY_FILE, actor, new_key
from headrace.cli.progress import progress

__all__ = ["init", "make_network"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="network")
@click.option("--name", help="What the network is called; the directory's name unless given.")
@click.option("--database", metavar="URL", help="Keep it there, postgresql://…, and only its key here.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The key that opens its secrets, made unless it is there.  [default: {KEY_FILE} in the directory]",
)
@click.option("--passphrase", is_flag=True, help="Lock it with a passphrase instead of a key file.")
@click.option("--production", is_flag=True, help="Changes will need --environment with its name.")
@click.option("--json", "as_json", is_flag=True, help="Report for programs.")
def init(
    directory: Path,
    name: str | None,
    database: str | None,
    key_file: Path | None,
    passphrase: bool,
    production: bool,
    as_json: bool,
) -> None:
    """Make an empty network, with the keys that it signs by.

    Its database and the key that opens its secrets are kept in DIRECTORY; keep a copy of that key elsewhere,
    without it nothing can be published any more. What it publishes goes to directories beside them until
    `headrace network setting` says otherwise. The keys that sign upgrades and open feedback are not made
    here: `headrace network key generate` makes them where they are to be used.

    \b
    headrace network init my-network
    headrace network init --passphrase --production --name relay my-network
    headrace network init --database postgresql://operator@db.example/network
    """
    name = name or directory.absolute().name
    if (directory / DATABASE).exists():
        raise OperatorError(f"there is a network in {directory} already; choose another directory")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{directory} cannot be made: {error.strerror}") from error
    make_network(
        directory,
        name,
        database=database,
        key_file=key_file,
        passphrase=passphrase,
        production=production,
        quiet=as_json,
    )
    where = database or str(directory / DATABASE)
    if as_json:
        click.echo(json.dumps({"network": name, "database": where, "directory": str(directory)}))
        return
    option = ""
    if database is not None or str(directory) != "network":
        option = f" --network {shlex.quote(database or str(directory))}"
    if not passphrase and (database is not None or key_file is not None):
        option += f" --key-file {shlex.quote(str(key_file or directory / KEY_FILE))}"
    if production:
        option += f" --environment {shlex.quote(name)}"
    click.echo(
        f"made the network {name!r} in {where}\n"
        "\n"
        "next, for example:\n"
        f"  headrace network channel add{option} web\n"
        f"  headrace network sponsor add{option} example --home-page https://example.org/\n"
        f"  headrace network campaign add{option} --sponsor example --channel web\n"
        f"  headrace network server create{option} --channel web --role permanent"
        " --address ADDRESS --region COUNTRY\n"
        f"  headrace network publish{option}"
    )


def make_network(
    directory: Path,
    name: str,
    *,
    database: str | None = None,
    key_file: Path | None = None,
    passphrase: bool = False,
    production: bool = False,
    quiet: bool = False,
) -> None:
    """Make a network in a directory, its keys, and the places it publishes to. Raises OperatorError."""
    from headrace.network.book import Book
    from headrace.network.custody import add_key
    from headrace.network.model import LOCAL, Provider
    from headrace.network.signing.kinds import Purpose
    from headrace.network.signing.making import make_key

    key = new_key(key_file, directory / KEY_FILE, passphrase=passphrase)
    purposes = (Purpose.LISTS, Purpose.ENTRIES, Purpose.EXCHANGE, Purpose.DISCOVERY)
    url = database or str(directory / DATABASE)
    with Book.create(url, key, name, production=production) as book:
        with progress("making keys", in_bytes=False, quiet=quiet) as bar:
            pairs = []
            for number, purpose in enumerate(purposes):
                bar(number, len(purposes))
                pairs.append(make_key(purpose, book.rng))
        with book.change(actor(), "init") as change:
            for pair in pairs:
                add_key(change, pair)
            change.add(Provider(name=LOCAL, driver=LOCAL, published_id=book.rng.bytes(8).hex().upper()))
            here = directory.absolute()
            settings = change.settings
            settings.public_store = (here / "public").as_uri()
            settings.host_store = (here / "hosts").as_uri()
            settings.bundle_directory = str(here / "bundles")
            settings.extract_directory = str(here / "extracts")
