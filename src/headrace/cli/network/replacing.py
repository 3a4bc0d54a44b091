"""`headrace network replace`: fresh servers for a channel, of which older ones step back."""

from pathlib import Path
from typing import Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.machines import machine_options, machines_of
from headrace.cli.network.options import confirm, yes_option
from headrace.cli.network.selecting import preview
from headrace.cli.network.server_create import tell_of
from headrace.cli.progress import progress

__all__ = ["replace"]

_count = click.IntRange(0, 10_000)


@click.command()
@click.option("--channel", required=True, help="Whose servers; the name or public id.")
@machine_options
@click.option("--propagation", type=_count, help="How many for lists, and not as the channel says.")
@click.option("--discovery", type=_count, help="How many for discovery.")
@click.option("--osl", type=_count, help="How many for OSLs.")
@click.option(
    "--osl-id",
    "osl_ids",
    multiple=True,
    help="An obfuscated list these are in, and not the channel's present ones.",
)
@click.option("--cut-discovery", is_flag=True, help="End today what older ones for discovery have left.")
@yes_option
@changes
def replace(
    changing: Changing,
    channel: str,
    addresses: tuple[str, ...],
    file: Path | None,
    propagation: int | None,
    discovery: int | None,
    osl: int | None,
    osl_ids: tuple[str, ...],
    cut_discovery: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Make as many new servers for a channel as it says, on machines that are ready, and retire older ones.

    New ones for lists take those before them out of the list, permanent ones excepted: these go on for users
    who know them. How many of which role is set by `headrace network channel set`.

    \b
    headrace network replace --channel web --machines machines.json
    headrace network replace --channel web --propagation 1 --address 192.0.2.8 --region NL --yes
    """
    from headrace.network.lifecycle.replacing import counts_of
    from headrace.network.lifecycle.replacing import replace as make_new
    from headrace.network.strategy.roles import Role

    machines = machines_of(addresses, file, **options)
    given = {Role.PROPAGATION: propagation, Role.DISCOVERY: discovery, Role.OSL: osl}
    with changing.change() as change:
        of = change.channel(channel)
        if any(count is not None for count in given.values()):
            counts = {role: count or 0 for role, count in given.items()}
        else:
            counts = counts_of(of)
        if osl_ids and not counts[Role.OSL]:
            raise click.UsageError("--osl-id is for new servers for OSLs.")
        with progress("making servers", in_bytes=False, quiet=changing.as_json) as bar:
            done = make_new(
                change, of, machines, counts, cut_discovery=cut_discovery, osl_ids=osl_ids, progress=bar
            )
        preview(changing, done.created, "made", key="made")
        if done.to_step_back:
            told = "taken out of lists when a new one has passed its test"
            preview(changing, list(done.to_step_back), told, key="to_step_back")
        confirm("Go on?", yes=yes or changing.dry_run)
        tell_of(changing, done.created)
