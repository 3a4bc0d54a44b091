"""Which protocols and ports a new server gets: drawn, so that a fleet is not known by what is the same on it.

What is drawn from is data (recipes.json, or a file of the operator's): recipes with their weight for each
role, in them for each protocol some choices of ports with their weights, ports to stay away from because
networks filter them, and the limits on new connections that a firewall is given. Ports are written "443",
"1-1022", several of both with spaces between, or "standard" for those of the network's settings.

The recipe and a seed are kept with the server: what is blocked can be told apart by recipe (operations
spec §1.12).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, TypeVar

import msgspec

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng, SeededRng
from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS
from headrace.documents.config_reader import convert_config, read_object
from headrace.network.model import Provider
from headrace.network.strategy.choice import weighted
from headrace.network.strategy.roles import Role

__all__ = ["STANDARD", "Drawn", "PortChoice", "Recipe", "Recipes", "draw", "read_recipes", "shipped_recipes"]

#: Stands for the ports of the network's settings.
STANDARD: Final = "standard"

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PORTS: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_MOST: Final = 0xFFFF

T = TypeVar("T")


class PortChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ports one of which may be drawn."""

    weight: int = 1
    ports: str

    def __post_init__(self) -> None:
        _check_weight(self.weight)
        if self.ports != STANDARD:
            _ranges(self.ports)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many new connections a firewall lets in: ranges to draw from."""

    per_minute: str
    burst: str

    def __post_init__(self) -> None:
        for text in (self.per_minute, self.burst):
            _ranges(text)


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mixture of protocols. A role that is not in `weights` does not get it."""

    name: str
    weights: dict[Role, int]
    ports: dict[str, list[PortChoice]]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name: use small letters, digits and hyphens")
        for weight in self.weights.values():
            _check_weight(weight)
        if not self.ports:
            raise ValueError(f"{self.name} has no protocol")
        for protocol, choices in self.ports.items():
            if protocol not in IMPLEMENTED_PROTOCOLS:
                spoken = " and ".join(IMPLEMENTED_PROTOCOLS)
                raise ValueError(f"{self.name} has {protocol}, which no server speaks: write {spoken}")
            if not any(choice.weight for choice in choices):
                raise ValueError(f"{self.name} has no ports for {protocol}")


class Recipes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may be drawn. The version goes up with every change."""

    version: int
    avoid: str = ""
    rate: Rate
    recipes: list[Recipe]

    def __post_init__(self) -> None:
        if self.avoid:
            _ranges(self.avoid)
        names = [recipe.name for recipe in self.recipes]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have the same name")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a new server gets: `ports` by protocol, and for its record the recipe and the seed."""

    recipe: str  #: name/version
    seed: str
    ports: Mapping[str, int]
    rate_limit: str  #: as nftables writes it


def shipped_recipes() -> Recipes:
    """Return the recipes that come with the program."""
    return read_recipes((files(__package__) / "recipes.json").read_bytes(), "recipes.json")


def read_recipes(data: bytes, file: str) -> Recipes:
    """Return the recipes in a file of JSON. Raises DocumentError naming the file and what is wrong."""
    return convert_config(read_object(data, file), Recipes, file)


def draw(
    rng: Rng,
    recipes: Recipes,
    role: Role,
    provider: Provider | None = None,
    *,
    standard: Sequence[int] = (),
    taken: Collection[int] = (),
    lowest: int = 1,
    seed: str = "",
) -> Drawn:
    """Draw what a new server of this role gets.

    `standard` are the network's own ports. Never drawn are those that the recipes avoid, those in `taken`,
    the one by which the provider's hosts are managed, and those below `lowest`. With an earlier draw's seed,
    and all else as it was then, its result comes again. Raises OperatorError if no recipe is left.
    """
    seed = seed or rng.bytes(16).hex()
    replayable = SeededRng(seed)
    avoided = set(_listed(recipes.avoid)) | set(taken) | ({provider.ssh_port} if provider else set())
    avoided.update(range(lowest))
    for recipe in _in_turn(replayable, [(each, each.weights.get(role, 0)) for each in recipes.recipes]):
        if ports := _draw_ports(replayable, recipe, standard, avoided):
            name = f"{recipe.name}/{recipes.version}"
            return Drawn(name, seed, ports, _draw_rate(replayable, recipes.rate))
    raise OperatorError(f"no recipe for the role {role} has a free port: add ports to one, or a recipe")


def _draw_ports(
    rng: Rng, recipe: Recipe, standard: Sequence[int], avoided: Collection[int]
) -> dict[str, int]:
    """Return a port for each protocol, or nothing at all if there is none for one of them."""
    drawn: dict[str, int] = {}
    for protocol, choices in recipe.ports.items():
        for choice in _in_turn(rng, [(each, each.weight) for each in choices]):
            ports = standard if choice.ports == STANDARD else _listed(choice.ports)
            if free := [port for port in ports if port not in avoided]:
                drawn[protocol] = rng.choice(free)
                avoided = {*avoided, drawn[protocol]}
                break
        else:
            return {}
    return drawn


def _in_turn(rng: Rng, options: Iterable[tuple[T, int]]) -> Iterator[T]:
    """Yield the options that have a weight, as drawn one after the other."""
    rest = [each for each in options if each[1]]
    while rest:
        yield (drawn := weighted(rng, rest))
        rest = [each for each in rest if each[0] is not drawn]


def _draw_rate(rng: Rng, rate: Rate) -> str:
    per_minute, burst = (rng.choice(_listed(text)) for text in (rate.per_minute, rate.burst))
    return f"{per_minute}/minute burst {burst} packets"


def _listed(text: str) -> list[int]:
    return [port for each in _ranges(text) for port in each] if text else []


def _ranges(text: str) -> list[range]:
    """Return the ranges that a text names. Raises ValueError saying how to write them."""
    found = []
    for word in text.split():
        match = _PORTS.fullmatch(word)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= _MOST:
            raise ValueError(f"{word!r} is no number or range: write 443 or 1-1022, from 1 to {_MOST}")
        found.append(range(low, high + 1))
    if not found:
        raise ValueError("there is no number: write 443 or 1-1022")
    return found


def _check_weight(weight: int) -> None:
    if weight < 0:
        raise ValueError(f"a weight is {weight}: write 0 or more")
