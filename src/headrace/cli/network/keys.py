"""`headrace network key …`: the network's own keys, which sign, hide and seed."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import open_output, read_file
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.signing.making import KeyPair
    from headrace.network.vault import OperatorKey

__all__ = ["key", "key_passphrase"]

_PURPOSES = (
    "list-signing",
    "upgrade-signing",
    "routes-signing",
    "feedback-encryption",
    "entry-signing",
    "exchange-obfuscation",
    "discovery-hmac",
    "osl-master",
)
_VARIABLE = "HEADRACE_KEY_PASSPHRASE"

purpose_argument = click.argument("purpose", type=click.Choice(_PURPOSES), metavar="PURPOSE")
name_option = click.option("--name", default="", help="Which; OSL schemes have a master key each.")


@click.group()
def key() -> None:
    """The network's own keys: which there are, new ones, and how one takes over from another.

    The keys of lists and entries, of exchange, discovery and OSLs are usually kept with the network, sealed.
    Those that sign upgrades and open feedback belong where builds and feedback are made, and here only their
    public halves: generate them there, and add them here with --public.

    \b
    purposes: list-signing  upgrade-signing  routes-signing  feedback-encryption
              entry-signing  exchange-obfuscation  discovery-hmac  osl-master

    \b
    headrace network key list
    headrace network key add list-signing --reason "yearly"
    """


@key.command("list")
@with_place
@click.option("--all", "retired_too", is_flag=True, help="Those that are not used any more, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs, with the public halves.")
def list_keys(place: Place, retired_too: bool, as_json: bool) -> None:
    """Show the keys of the network; private halves are never shown.

    \b
    headrace network key list --all
    """
    from headrace.network.model import NetworkKey

    with place.book() as book, book.view() as view:
        keys = sorted(view.all(NetworkKey), key=lambda key: (key.purpose, key.name, key.created_at))
        rows = [
            {
                "purpose": key.purpose,
                "name": key.name,
                "key": key.key_id,
                "since": key.created_at,
                "retired": key.retired_at,
                "where": "elsewhere" if key.offline else "here" if key.retired_at is None else "nowhere",
                **({"public": key.public} if as_json else {}),
            }
            for key in keys
            if retired_too or key.retired_at is None
        ]
    show_table(rows, as_json, nothing="there are no keys", whole=("purpose", "key"))


@key.command()
@purpose_argument
@name_option
@click.option("--network-name", required=True, help="The network that it is for.")
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The new key's file."
)
def generate(purpose: str, name: str, network_name: str, output: Path) -> None:
    """Make a key on this machine, for a network that is managed on another.

    The private half goes to a file that opens with a passphrase, asked for or taken from
    HEADRACE_KEY_PASSPHRASE, and stays here; the public half goes to the same name with .pub, and from there
    to the network, by `headrace network key add`.

    \b
    headrace network key generate upgrade-signing --network-name relay --output upgrade.key
    """
    from headrace.base.rng import SYSTEM_RNG
    from headrace.network.signing.key_files import write_key_file
    from headrace.network.signing.making import make_key

    public_name = f"{output}.pub"
    if os.path.lexists(public_name):
        raise OperatorError(f"{public_name} exists already; choose another name")
    lock = key_passphrase(str(output), new=True)
    pair = make_key(purpose, SYSTEM_RNG, name=name)
    if not pair.public:
        raise OperatorError(f"a {purpose} key has no public half; the network makes it itself, by `key add`")
    write_key_file(output, network_name, pair, lock, SYSTEM_RNG)
    with open_output(public_name) as stream:
        stream.write(pair.public.encode() + b"\n")
    click.echo(f"wrote {output}, which nobody else may have, and {public_name}\nkey: {pair.key_id}")


@key.command()
@purpose_argument
@name_option
@click.option("--public", metavar="KEY|FILE", help="Only this public half; the private one is elsewhere.")
@changes
def add(changing: Changing, purpose: str, name: str, public: str | None) -> None:
    """Add a key: a new one, or the public half of one that was generated elsewhere.

    Where there is one already, the new one begins to take over from it: clients built from now on have the
    new one, and what is signed is published twice until the old one is retired.

    \b
    headrace network key add list-signing --reason "yearly"
    headrace network key add upgrade-signing --public upgrade.key.pub
    """
    from headrace.base.rng import SYSTEM_RNG
    from headrace.network.custody import add_key
    from headrace.network.signing.making import make_key

    pair = make_key(purpose, SYSTEM_RNG, name=name) if public is None else _public_half(purpose, name, public)
    with changing.change() as change:
        added = add_key(change, pair, offline=public is not None)
        changing.tell(f"the {purpose} key {added.key_id}", key=added.key_id, public=added.public)


@key.command()
@click.argument("key_id", metavar="KEY")
@click.option("--force", is_flag=True, help="Although clients that know no other key will be left behind.")
@changes
def retire(changing: Changing, key_id: str, force: bool) -> None:
    """Stop using a key, and forget its private half.

    Refused while clients may be around that were built before its successor was, unless --force is given.

    \b
    headrace network key retire ae78908bb19c3249
    """
    from headrace.network.book import NotKnown
    from headrace.network.custody import retire_key
    from headrace.network.model import NetworkKey
    from headrace.network.signing.rotation import may_retire_at, ring

    with changing.change() as change:
        keys = change.all(NetworkKey)
        found = [key for key in keys if key.key_id == key_id and key.retired_at is None]
        if not found:
            raise NotKnown(f"there is no key {key_id} in use; `headrace network key list` has them")
        key = found[0]
        soonest = may_retire_at(key, ring(keys, key.purpose, key.name), None)
        if not force and (soonest is None or soonest > change.now):
            when = "after another has taken over" if soonest is None else f"from {soonest:%Y-%m-%d} on"
            raise OperatorError(
                f"this key can be retired {when}; --force does it now and leaves clients behind"
            )
        retire_key(change, key)


def key_passphrase(what: str, *, new: bool = False) -> "OperatorKey":
    """Return what opens a key file: from the environment, or asked for. Raises OperatorError."""
    from headrace.network.vault import passphrase_key

    text = os.environ.get(_VARIABLE)
    if text is None:
        if not sys.stdin.isatty():
            raise OperatorError(f"put the passphrase of {what} into {_VARIABLE}")
        text = click.prompt(f"Passphrase of {what}", hide_input=True, confirmation_prompt=new, err=True)
    return passphrase_key(text)


def _public_half(purpose: str, name: str, text: str) -> "KeyPair":
    from headrace.crypto.rsa_signing import PackageVerifyingKey
    from headrace.crypto.signing import VerifyingKey
    from headrace.network.signing.kinds import Form, kind_of
    from headrace.network.signing.making import KeyPair, entry_key_id, package_key_id

    path = Path(text)
    if len(text) < 200 and path.exists():
        text = read_file(path, "the public key").decode("ascii", "replace").strip()
    try:
        match kind_of(purpose).form:
            case Form.RSA:
                key_id = package_key_id(PackageVerifyingKey.from_text(text))
            case Form.ED25519:
                key_id = entry_key_id(VerifyingKey.from_text(text))
            case _:
                raise OperatorError(f"a {purpose} key has no public half; leave --public out")
    except DocumentError as error:
        raise OperatorError(
            f"--public: {error}; give the file that `key generate` made, or what is in it"
        ) from error
    return KeyPair(purpose, name, text, key_id, "")
