"""What there is to publish of a network, kind by kind, each with the parts that it is made from.

material     the network as all of them look at it
hosts        the files of each host
lists        remote server lists, for each campaign
osl          obfuscated server lists, for each campaign
extracts     what departments are given
psinet       what all servers are given of the network

A source yields every content of its kinds, those that are as they ought to be, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from headrace.network.publish.contents import Content
from headrace.network.publish.kinds import Kind
from headrace.network.publish.sources import extracts, hosts, lists, osl, psinet
from headrace.network.publish.sources.material import Material

__all__ = ["SOURCES", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the contents of some kinds come from, all of them."""

    kinds: frozenset[Kind]
    contents: Callable[[Material], Iterator[Content]]


#: What every network publishes.
SOURCES: Final = (
    Source(frozenset({Kind.HOST}), hosts.contents),
    Source(frozenset({Kind.LIST}), lists.contents),
    Source(frozenset(extracts.KINDS), extracts.contents),
    Source(frozenset({Kind.OSL}), osl.contents),
    Source(frozenset({Kind.PSINET}), psinet.contents),
)
