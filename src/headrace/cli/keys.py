"""Keys as a person names them: public ones as text, in a file or in a configuration.

What is on a command line is seen by everybody on the machine, so a private key is read from a file or from
the environment.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import STANDARD, read_file, write_keys
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.crypto.signing import SigningKey, VerifyingKey
from headrace.documents.config_reader import fold, read_object

__all__ = [
    "entry_signing_key",
    "entry_verifying_key",
    "list_signing_key",
    "list_verifying_key",
    "write_pair",
]

#: Where the deployed signer looks for its keys.
_PRIVATE, _PUBLIC = "SIGNER_PRIVATE_KEY", "SIGNER_PUBLIC_KEY"
#: Where the password of a locked key is looked for, and the one that the deployed paver's keys have.
_PASSWORD, _USUAL_PASSWORD = "HEADRACE_KEY_PASSWORD", "none"
#: Characters in the longest file name; an RSA key is longer.
_LONGEST_NAME = 255


def entry_verifying_key(name: str) -> VerifyingKey:
    """Return the public key that `name` is or leads to. Raises OperatorError."""
    try:
        return VerifyingKey.from_text(_public_key_text(name, "ServerEntrySignaturePublicKey"))
    except DocumentError as error:
        raise _no_public_key(error) from error


def list_verifying_key(name: str) -> PackageVerifyingKey:
    """Return the public key of lists that `name` is or leads to. Raises OperatorError."""
    try:
        return PackageVerifyingKey.from_text(_public_key_text(name, "RemoteServerListSignaturePublicKey"))
    except DocumentError as error:
        raise _no_public_key(error) from error


def entry_signing_key(file: Path | None) -> SigningKey:
    """Return the private key in `file`, or in the environment. Raises OperatorError."""
    if file is not None:
        text, where = read_file(file, "the private key").decode("ascii", "replace").strip(), str(file)
    else:
        text, where = os.environ.get(_PRIVATE, "").strip(), _PRIVATE
    if not text:
        raise OperatorError(
            f"there is no private key; name its file with --private-key, or put it into {_PRIVATE}"
        )
    try:
        key = SigningKey.from_text(text)
        if file is None and (public := os.environ.get(_PUBLIC, "").strip()):
            _insist_on_a_pair(key, VerifyingKey.from_text(public))
    except DocumentError as error:
        raise OperatorError(f"{where}: {error}; give the one that headrace entries keygen made") from error
    return key


def list_signing_key(file: Path) -> PackageSigningKey:
    """Return the private key of lists in `file`; a person may be asked for its password.

    Raises OperatorError.
    """
    text = read_file(file, "the private key").decode("ascii", "replace")
    locked = "ENCRYPTED" in text
    try:
        return _unlocked(text, file) if locked else PackageSigningKey.from_text(text)
    except DocumentError as error:
        remedy = (
            f"give the right one in {_PASSWORD}"
            if locked
            else "name the file that headrace lists keygen made"
        )
        raise OperatorError(f"{file}: {error}; {remedy}") from error


def _unlocked(text: str, file: Path) -> PackageSigningKey:
    password = os.environ.get(_PASSWORD)
    if password is None:
        with contextlib.suppress(DocumentError):
            return PackageSigningKey.from_text(text, _USUAL_PASSWORD)
        if not sys.stdin.isatty():
            raise OperatorError(f"{file} is locked; put its password into {_PASSWORD} in the environment")
        password = click.prompt(f"Password of {file}", hide_input=True, err=True)
    return PackageSigningKey.from_text(text, password)


def _no_public_key(error: DocumentError) -> OperatorError:
    return OperatorError(
        f"--public-key: {error}; give the key, a file that holds it, or a client's configuration"
    )


def _public_key_text(name: str, field: str) -> str:
    """Return the text of a public key: `name` itself, what its file holds, or `field` of a configuration."""
    path = Path(name)
    if len(name) > _LONGEST_NAME or not path.exists():
        return name
    data = read_file(path, "the public key")
    if not data.lstrip().startswith(b"{"):
        return data.decode("ascii", "replace").strip()
    try:
        known, _ = fold(read_object(data, name), [field])
    except DocumentError as error:
        raise OperatorError(str(error)) from error
    text = known.get(field)
    if not isinstance(text, str) or not text:
        raise OperatorError(f"{name} has no {field}; name a configuration that has, or give the key itself")
    return text


def write_pair(private: str, public: str, output: str, *, force: bool, as_json: bool) -> None:
    """Write a new pair of keys to files, and say so. Raises OperatorError when they are there already."""
    write_keys(output, private, public, force=force)
    if output == STANDARD:
        click.echo(f"public key: {public}", err=True)
    elif as_json:
        files = {"privateKeyFile": output, "publicKeyFile": f"{output}.pub"}
        click.echo(json.dumps({"publicKey": public, **files}))
    else:
        click.echo(f"wrote {output}, which nobody else may have, and {output}.pub\npublic key: {public}")


def _insist_on_a_pair(key: SigningKey, public: VerifyingKey) -> None:
    if key.public.raw != public.raw:
        raise OperatorError(
            f"{_PUBLIC} does not belong to {_PRIVATE}; set both from the same pair, or only one"
        )
