"""`headrace network rotate-key`: new keys for servers."""

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.options import confirm, yes_option
from headrace.cli.network.selecting import chosen, preview, server_arguments
from headrace.cli.progress import progress

__all__ = ["KEYS", "rotate_key"]

KEYS = ("login", "host-key", "obfuscation", "web-secret", "meek", "tactics", "inproxy")


@click.command("rotate-key")
@server_arguments
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Choice(KEYS),
    default=("login", "obfuscation"),
    show_default=True,
    help="Which; repeat it for more.",
)
@yes_option
@changes
def rotate_key(
    changing: Changing, names: tuple[str, ...], where: str | None, keys: tuple[str, ...], yes: bool
) -> None:
    """Give servers new keys, when the old ones may be known to others or have been there for long.

    Clients get through with the new ones only after they have learned of them: publish at once. A new
    web-secret makes it another server to clients. The network's own keys are `headrace network key`.

    \b
    headrace network rotate-key "dro fai mesk" --reason "its disk was copied"
    headrace network rotate-key --where provider=acme --key login --key host-key
    """
    from headrace.network.lifecycle.rotation import rotate_keys

    with changing.change() as change:
        servers = chosen(change, names, where)
        if len(servers) > 1:
            preview(changing, servers, f"given new keys ({', '.join(keys)})")
            confirm("Go on?", yes=yes or changing.dry_run)
        change.load_secrets([*servers, *(server.host for server in servers)])
        with progress("making keys", in_bytes=False, quiet=changing.as_json) as bar:
            for number, server in enumerate(servers):
                bar(number, len(servers))
                rotate_keys(change, server, keys)
