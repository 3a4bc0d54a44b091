"""`headrace network revoke`: a capability taken from all servers at once."""

from typing import TYPE_CHECKING

import click

from headrace.base.errors import OperatorError
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.options import confirm, yes_option
from headrace.cli.network.publish import report
from headrace.cli.network.publishing import publish_all
from headrace.cli.network.tables import show_table
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.strategy.revocation import Revocation

__all__ = ["revoke"]


@click.command()
@click.argument("capabilities", nargs=-1, metavar="[CAPABILITY]...")
@click.option(
    "--where",
    default="all",
    show_default=True,
    metavar="SELECTOR",
    help="Which servers, like software=headrace-0.1,created<2026-01-01.",
)
@click.option(
    "--minimum",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Refuse if fewer servers are left to a channel or region that loses some.",
)
@click.option(
    "--emergency",
    is_flag=True,
    help="Refuse nothing, and publish at once, hosts and lists first; needs --reason.",
)
@click.option("--new-keys", is_flag=True, help="Give these servers new log-ins and obfuscation keys, too.")
@yes_option
@changes
def revoke(
    changing: Changing,
    capabilities: tuple[str, ...],
    where: str,
    minimum: int,
    emergency: bool,
    new_keys: bool,
    yes: bool,
) -> None:
    """Switch off, on all servers or those selected, what rests on something that may be known to others.

    Without a CAPABILITY that is all but SSH and OSSH. What would be left of each channel and region is shown
    first. Clients prefer the new entries, which are then to be published.

    A selector names provider, image, software, region, channel, capability and created; all that it says
    holds for the servers that are meant.

    \b
    headrace network revoke --dry-run
    headrace network revoke QUIC TLS --where provider=acme --minimum 3 --reason "CVE-2026-1234"
    """
    from headrace.network.lifecycle.revoking import PUBLISHED_FIRST, Guard
    from headrace.network.lifecycle.revoking import revoke as switch_off
    from headrace.network.model import Server, Status
    from headrace.network.strategy.revocation import plan_revocation
    from headrace.network.strategy.selector import parse_selector

    if emergency and not changing.reason:
        raise OperatorError("--emergency needs --reason: what is so bad that nothing may be too much?")
    selector = parse_selector(where)
    guard = None if emergency else Guard(minimum, minimum)
    with changing.change() as change:
        alive = Server.status.not_in((Status.REMOVING, Status.GONE))
        servers = change.servers(alive)
        spelled = {name.casefold(): name for server in servers for name in server.capabilities}
        off = {spelled.get(name.casefold(), name) for name in capabilities}
        plan = plan_revocation(servers, selector, off)
        _show(changing, plan)
        if guard is not None:
            plan.check(guard.channel, guard.region)
        if plan.servers:
            confirm("Switch that off?", yes=yes or changing.dry_run)
            with progress("switching off", in_bytes=False, quiet=changing.as_json) as bar:
                switch_off(change, selector, off, guard=guard, regenerate_keys=new_keys, progress=bar)
    if emergency and plan.servers and not changing.dry_run:
        with changing.place.book(changes=True) as book:
            report(publish_all(book, first=PUBLISHED_FIRST, quiet=changing.as_json), changing.as_json)


def _show(changing: Changing, plan: "Revocation") -> None:
    lost = sorted({name for each in plan.servers for name in each.lost})
    rows = [
        {"of": part, "which": name, "before": left.before, "affected": left.affected, "left": left.after}
        for part, counts in (("channel", plan.channels), ("region", plan.regions))
        for name, left in counts.items()
    ]
    changing.tell(
        f"{len(plan.servers):,} servers to lose {', '.join(lost)}" if lost else "no server has any of it",
        revoked=lost,
        servers=[each.server.pseudonym for each in plan.servers],
        left=rows,
    )
    if lost and not changing.as_json:
        show_table(rows, False, nothing="")
