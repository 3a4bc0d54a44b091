"""`headrace network simulate`: what an adversary learns of the network, or of one that is made up."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from headrace.base.clock import SYSTEM_CLOCK
from headrace.cli.network.options import json_option, shares
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_facts, show_table

if TYPE_CHECKING:
    from headrace.base.rng import Rng
    from headrace.network.book import View
    from headrace.network.strategy.population import Population
    from headrace.network.strategy.roles import Role
    from headrace.network.strategy.simulator import Adversary, Simulation

__all__ = ["simulate"]

_STRATEGIES = ("consistent", "keyed", "classic")
_ROLES = ("permanent", "propagation", "discovery", "osl")
_PARTS = ("channels", *_ROLES, "osl_lists", "waves")

#: How many servers a channel's list of a made-up network has from other channels, and the most of each size.
_SAMPLE = 400
_MOST = 10_000


@click.command()
@with_place
@click.option(
    "--addresses",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="From how many addresses the adversary connects.",
)
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="For how long.")
@click.option(
    "--channels",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Of how many channels, drawn at random, the adversary has a bundle.",
)
@click.option(
    "--osl-share",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Of the obfuscated lists there, the share whose key is earned.",
)
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES),
    help="How servers choose whom they tell of what; as in the network's settings unless given.",
)
@click.option(
    "--population",
    metavar="SIZES",
    help="Try a made-up network, like channels=20,permanent=2,propagation=3,discovery=10,osl=10: of each"
    " role so many in each channel. Also osl_lists=4,waves=7.",
)
@click.option("--seed", default="", help="With the same words everything is drawn the same again.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="ROLE=SHARE",
    help="Warn if more than this share of a role's servers is learned; repeat it for other roles.",
)
@json_option
def simulate(
    place: Place,
    addresses: int,
    days: int,
    channels: int,
    osl_share: float,
    strategy: str | None,
    population: str | None,
    seed: str,
    limits: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show how many servers somebody learns of who has bundles, and connects for days from many addresses.

    It looks at this network as it is, by the rules that publish it; with --population at one that is made up,
    for which no network is needed. Nobody is contacted.

    \b
    headrace network simulate --addresses 1000 --days 30
    headrace network simulate --population channels=20,permanent=2,discovery=10 --limit discovery=50%
    """
    from headrace.base.rng import SYSTEM_RNG, SeededRng
    from headrace.discovery.strategy import DEFAULT_STRATEGY, make_strategy
    from headrace.network.strategy.population import make_population
    from headrace.network.strategy.roles import Role
    from headrace.network.strategy.simulator import Adversary
    from headrace.network.strategy.simulator import simulate as run

    warned_of = shares(limits, _ROLES)
    sizes = _sizes(population) if population is not None else None
    rng = SeededRng(seed) if seed else SYSTEM_RNG
    adversary = Adversary(addresses, days, channels, osl_share)
    if sizes is not None:
        now = datetime.fromtimestamp(SYSTEM_CLOCK.time(), UTC)
        made = make_population(sizes, now, days, rng)
        key = rng.bytes(32)
        found = run(
            *made,
            adversary,
            now,
            rng=rng,
            strategy=make_strategy(strategy or DEFAULT_STRATEGY, key.hex()),
            sample_key=key,
            embedded_sample=_SAMPLE,
            list_sample=_SAMPLE,
        )
    else:
        with place.book() as book, book.view() as view:
            found = _of_network(view, adversary, strategy, rng)
    _show(found, {Role(name): share for name, share in warned_of.items()}, as_json)


def _of_network(view: "View", adversary: "Adversary", strategy: str | None, rng: "Rng") -> "Simulation":
    from headrace.discovery.strategy import make_strategy
    from headrace.network.model import PropagationChannel
    from headrace.network.signing.kinds import Purpose
    from headrace.network.strategy.simulator import simulate as run

    settings, keys = view.settings, view.keys(Purpose.DISCOVERY)
    parameters = settings.tactics.get("DefaultTactics", {}).get("Parameters", {})
    name = strategy or str(parameters.get("ServerDiscoveryStrategy", ""))
    return run(
        view.all(PropagationChannel),
        view.servers(),
        adversary,
        view.now,
        rng=rng,
        strategy=make_strategy(name, view.secrets(keys[0])["shared"] if keys else ""),
        sample_key=bytes.fromhex(view.secrets(settings)["sample_key"]),
        embedded_sample=settings.embedded_sample,
        list_sample=settings.list_sample,
    )


def _show(found: "Simulation", limits: "dict[Role, float]", as_json: bool) -> None:
    exceeding = found.exceeding(limits)
    rows = [
        {
            "role": str(each.role),
            "source": str(each.source) if each.source is not None else "all together",
            "learned": each.learned,
            "of": each.total,
            "share": each.share if as_json else f"{each.share:.0%}",
        }
        for each in found.shares
        if as_json or (each.total and (each.learned or each.source is None))
    ]
    if as_json:
        over = [
            {"role": str(each.role), "share": each.share, "limit": limits[each.role]} for each in exceeding
        ]
        show_facts({"shares": rows, "warnings": over}, as_json)
        return
    show_table(rows, as_json, nothing="there is no server that users are told of")
    for each in exceeding:
        click.echo(
            f"warning: {each.share:.0%} of the {each.role} servers, the limit is {limits[each.role]:.0%}"
        )


def _sizes(text: str) -> "Population":
    """Return a population of a text like channels=20,permanent=2. Raises UsageError."""
    from headrace.network.strategy.population import Population

    given: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in _PARTS or not number.isdecimal() or int(number) > _MOST:
            raise click.UsageError(
                f"{part.strip()!r} says nothing of a population: write one of {', '.join(_PARTS)}, and = and"
                f" a number up to {_MOST:,}."
            )
        given[name] = int(number)
    if not given.get("channels") or given.get("osl_lists") == 0 or given.get("waves") == 0:
        raise click.UsageError(
            "a population needs channels: write channels=20, and no 0 for osl_lists or waves."
        )
    return Population(**{**dict.fromkeys(_ROLES, 0), **given})
