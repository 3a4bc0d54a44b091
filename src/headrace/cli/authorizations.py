"""`headrace authorizations`: who gets more than others, and which servers believe it."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG
from headrace.cli.files import STANDARD, read_file, write_keys
from headrace.documents.authorizations import AuthorizationKey, KeyRing, VerificationKey, expiry_text
from headrace.documents.config_reader import fold, read_object

__all__ = ["authorizations"]

T = TypeVar("T")

_FIELD = "AccessControlVerificationKeyRing"


@click.group()
def authorizations() -> None:
    """Let some clients have more: sign texts that give them an access type for a while.

    Clients present them (Authorizations in their configuration), servers verify them by a ring of keys
    (AccessControlVerificationKeyRing), and traffic rules say what an access type is worth
    (AuthorizedAccessTypes in a filter).

    \b
    headrace authorizations keygen speed-boost --output boost-key
    headrace authorizations ring boost-key.pub
    headrace authorizations issue --key boost-key --purchase "order 17" --days 30
    """


@authorizations.command()
@click.argument("access_type")
@click.option("--output", required=True, help='File for the key; the half for servers gets ".pub" added.')
@click.option("--force", is_flag=True, help="Replace a key that is there already.")
def keygen(access_type: str, output: str, force: bool) -> None:
    """Make a key that signs authorizations for an access type, such as speed-boost.

    Whoever has it gives out access: keep it where nobody else reads it, and on no server.

    \b
    headrace authorizations keygen speed-boost --output boost-key
    """
    try:
        key = AuthorizationKey.generate(access_type, SYSTEM_RNG)
    except DocumentError as error:
        raise OperatorError(f"{access_type!r}: {error}") from error
    write_keys(output, _json(key), _json(key.verification_key), force=force)
    if output != STANDARD:
        click.echo(f"wrote {output}, which nobody else may have, and {output}.pub for servers", err=True)


@authorizations.command()
@click.argument("keys", nargs=-1, required=True, type=click.Path(path_type=Path))
def ring(keys: tuple[Path, ...]) -> None:
    """Print the ring of these keys, the halves for servers: what AccessControlVerificationKeyRing is to be.

    \b
    headrace authorizations ring boost-key.pub other-key.pub
    """
    made = KeyRing(keys=[_read(file, VerificationKey, "the key") for file in keys])
    _check(made, ", ".join(map(str, keys)))
    click.echo(msgspec.json.format(_json(made), indent=4))


@authorizations.command()
@click.option(
    "--key", "file", required=True, type=click.Path(path_type=Path), help="File with the key that signs."
)
@click.option(
    "--purchase",
    default="",
    help="What you know the purchase by; the same gives the same ID. Default: a new one.",
)
@click.option("--days", default=30.0, show_default=True, help="How long it lasts.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, with its ID and its end.")
def issue(file: Path, purchase: str, days: float, as_json: bool) -> None:
    """Print an authorization: a line for a client's configuration.

    One that several clients present at a time counts for the latest only. The purchase itself cannot be
    learnt from it.

    \b
    headrace authorizations issue --key boost-key --purchase "order 17" --days 365
    """
    key = _read(file, AuthorizationKey, "the key")
    try:
        key.check()
        expires = (datetime.now(UTC) + timedelta(days=days)).timestamp()
        text, identity = key.issue(purchase.encode() or SYSTEM_RNG.bytes(32), expires)
    except DocumentError as error:
        raise OperatorError(f"{file}: {error}; name the file that keygen made") from error
    except (OverflowError, ValueError):
        raise OperatorError(f"{days:g} days from now is no date; give fewer") from None
    said = {
        "authorization": text,
        "id": identity,
        "accessType": key.access_type,
        "expires": expiry_text(expires),
    }
    click.echo(json.dumps(said) if as_json else text)


@authorizations.command()
@click.argument("texts", nargs=-1, required=True, metavar="AUTHORIZATION...")
@click.option(
    "--ring",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="A ring, or a server's configuration.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def verify(texts: tuple[str, ...], file: Path, as_json: bool) -> None:
    """Say what authorizations are good for at a server; the exit code is 1 if any is not.

    \b
    headrace authorizations verify "$AUTHORIZATION" --ring psiphond.config
    """
    keys = _ring(file)
    bad = False
    for text in texts:
        said: dict[str, object]
        try:
            good = keys.verify(text.strip(), datetime.now(UTC).timestamp())
            said = {"id": good.id, "accessType": good.access_type, "expires": expiry_text(good.expires)}
            line = f"{good.access_type} until {said['expires']}, ID {good.id}"
        except DocumentError as error:
            bad = True
            said, line = {"problem": str(error)}, str(error)
        click.echo(json.dumps(said) if as_json else line)
    sys.exit(1 if bad else 0)


def _ring(file: Path) -> KeyRing:
    """Return the ring that is a file, or in it. Raises OperatorError."""
    data = read_file(file, "the ring")
    try:
        known, _ = fold(read_object(data, str(file)), [_FIELD])
        made = msgspec.convert(known[_FIELD], KeyRing) if known else msgspec.json.decode(data, type=KeyRing)
    except (DocumentError, msgspec.MsgspecError) as error:
        raise OperatorError(
            f"{file} is no ring: {error}; name what headrace authorizations ring printed"
        ) from error
    _check(made, str(file))
    return made


def _check(made: KeyRing, where: str) -> None:
    try:
        if not made.keys:
            raise DocumentError("there is no key in it")
        made.check()
    except DocumentError as error:
        raise OperatorError(f"{where}: {error}; name files that end in .pub, from keygen") from error


def _read(file: Path, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(read_file(file, what), type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise OperatorError(f"{file} is not {what} that is wanted here: {error}") from error


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
