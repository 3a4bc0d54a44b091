"""What is published, in which order, and what has to be there before (operations spec §1.8).

    step 1    H  program settings and configuration, to each host
    step 2    B  client builds and upgrade packages      L  remote server lists
    step 3    S  statistics   D  devops   F  feedback    M  mail responder
    step 4    X  destruction of machines that were removed
    step 5    W  websites
    step 6    O  obfuscated server lists
    step 7    P  psinet data, to all hosts

A step begins when the one before has ended. What failed in it holds nothing up but what is named in `after`:
a host that cannot be reached is no reason for thousands of others to wait.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KINDS", "Kind", "KindOfContent", "kind_by_letter"]

#: The part of psinet data that announces new clients, which have to be there to be downloaded.
CLIENT_VERSIONS: Final = "client versions"


class Kind(enum.StrEnum):
    """What something published is, as the ledger has it."""

    HOST = "host"
    BUNDLE = "bundle"
    LIST = "list"
    STATISTICS = "statistics"
    DEVOPS = "devops"
    FEEDBACK = "feedback"
    MAIL = "mail"
    DESTRUCTION = "destruction"
    WEBSITE = "website"
    OSL = "osl"
    PSINET = "psinet"

    @property
    def is_extract(self) -> bool:
        """True for what a department is given of the whole network."""
        return self in (Kind.STATISTICS, Kind.DEVOPS, Kind.FEEDBACK, Kind.MAIL)


@dataclass(frozen=True, slots=True)
class KindOfContent:
    """What holds for all contents of a kind."""

    letter: str  #: as in the specification
    step: int
    title: str  #: for people
    ages: bool = False  #: its readers stop to believe it: it is written again though it is the same
    after: Mapping[str, Kind] = field(default_factory=dict)  #: changed part -> of which kind nothing may fail


KINDS: Final[Mapping[Kind, KindOfContent]] = {
    Kind.HOST: KindOfContent("H", 1, "host configurations"),
    Kind.BUNDLE: KindOfContent("B", 2, "client builds"),
    Kind.LIST: KindOfContent("L", 2, "server lists"),
    Kind.STATISTICS: KindOfContent("S", 3, "the statistics extract"),
    Kind.DEVOPS: KindOfContent("D", 3, "the devops extract"),
    Kind.FEEDBACK: KindOfContent("F", 3, "the feedback extract"),
    Kind.MAIL: KindOfContent("M", 3, "the mail responder's extract"),
    Kind.DESTRUCTION: KindOfContent("X", 4, "the destruction of machines"),
    Kind.WEBSITE: KindOfContent("W", 5, "websites"),
    Kind.OSL: KindOfContent("O", 6, "obfuscated server lists"),
    Kind.PSINET: KindOfContent("P", 7, "psinet data", ages=True, after={CLIENT_VERSIONS: Kind.BUNDLE}),
}


def kind_by_letter(letter: str) -> Kind:
    """Return the kind with a letter of the specification. Raises KeyError."""
    return {each.letter: kind for kind, each in KINDS.items()}[letter]
