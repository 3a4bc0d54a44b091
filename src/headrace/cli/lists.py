"""`headrace lists`: the signed lists from which clients learn of servers, made, checked and fetched."""

import click

from headrace.cli.keys import write_pair
from headrace.cli.root import LazyGroup

__all__ = ["keygen", "lists"]


@click.group(
    cls=LazyGroup,
    lazy={
        "make": "headrace.cli.lists_make:make",
        "pave": "headrace.cli.lists_pave:pave",
        "verify": "headrace.cli.lists_verify:verify",
        "fetch": "headrace.cli.lists_fetch:fetch",
        "keygen": "headrace.cli.lists:keygen",
    },
)
def lists() -> None:
    """Make, check and fetch signed lists of servers.

    The common list holds entries for every client. Obfuscated lists (OSL) can be opened only by clients that
    have earned keys through their traffic; a registry names them all. Every one of these files is signed, so
    it does not matter who stores and hands it out.

    \b
    headrace lists keygen --output list-key
    headrace lists make servers.list --private-key list-key --output server_list_compressed
    headrace lists fetch https://storage.example/server_list_compressed --public-key list-key.pub \\
        --output new-list
    """


@click.command()
@click.option("--output", required=True, help='File for the private key; the public one gets ".pub" added.')
@click.option("--force", is_flag=True, help="Replace a key that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def keygen(output: str, force: bool, as_json: bool) -> None:
    """Make a pair of keys to sign lists with: RSA, 4096 bits, which takes a few seconds.

    Keep the private key where nobody else reads it. The public key goes into clients' configurations, as
    RemoteServerListSignaturePublicKey. As an output, "-" is standard output, and then the public key is told
    on standard error.

    \b
    headrace lists keygen --output list-key
    """
    from rich.console import Console

    from headrace.crypto.rsa_signing import PackageSigningKey

    with Console(stderr=True).status("making a key"):
        key = PackageSigningKey.generate()
    write_pair(key.to_text(), key.public.to_text(), output, force=force, as_json=as_json)
