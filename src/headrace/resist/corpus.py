"""Reference traffic, recorded once and kept: the sizes of ordinary exchanges and of direct TLS handshakes.

All of it is made and captured here, on loopback, by real programs and servers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLError, TLSVersion
from typing import Final

import httpx
import requests

from headrace.base.errors import NetworkError
from headrace.base.rng import Rng
from headrace.resist.capture import capture
from headrace.resist.commands import browse
from headrace.resist.exchanges import PROGRAMS, some_requests
from headrace.resist.handshakes import browse_sites, shake_hands
from headrace.resist.headers import HEADERS, read_sizes
from headrace.resist.shapes import on_ethernet
from headrace.resist.websites import Websites, running_websites

__all__ = ["KEPT_SEGMENTS", "Corpus", "Reference", "Sizes", "Tell", "gather_reference"]

#: Signed sizes of a flow's segments, none larger than on Ethernet.
Sizes = list[int]

#: Flows by the program that made them, or by the kind of handshake.
Corpus = dict[str, list[Sizes]]

#: What is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], object]

#: Of a long flow so many segments are kept.
KEPT_SEGMENTS: Final = 1000

#: Connections made at a time, and by one browser.
AT_ONCE: Final = 8
BROWSER_HOSTS: Final = 50

#: Connections of a batch: a capture stays small.
BATCH: Final = 500

#: What becomes of a connection now and then, on a busy machine.
_MISHAPS: Final = (OSError, NetworkError, SSLError, httpx.HTTPError, requests.RequestException)


@dataclass(frozen=True, slots=True)
class Reference:
    """Ordinary flows by the program that made them, and direct handshakes by kind."""

    ordinary: Corpus
    handshakes: Corpus

    @property
    def ordinary_flows(self) -> list[Sizes]:
        return [sizes for flows in self.ordinary.values() for sizes in flows]

    @property
    def direct(self) -> list[Sizes]:
        return [sizes for flows in self.handshakes.values() for sizes in flows]


async def gather_reference(
    directory: Path, *, exchanges: int, handshakes: int, rng: Rng, tell: Tell
) -> Reference:
    """Return the reference that is kept in the directory, made anew if there is none of this size.

    Raises OperatorError without nginx or tcpdump.
    """
    return Reference(
        await _kept(
            directory / f"exchanges-{exchanges}.json",
            lambda: _exchanges(directory, exchanges, rng, tell),
        ),
        await _kept(
            directory / f"handshakes-{handshakes}.json",
            lambda: _handshakes(directory, handshakes, rng, tell),
        ),
    )


async def _kept(file: Path, gather: Callable[[], Awaitable[Corpus]]) -> Corpus:
    """Return what is in the file; if it is not there, what `gather` returns, which is then kept in it."""
    with suppress(FileNotFoundError):
        return dict(json.loads(file.read_text()))
    corpus = await gather()
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(corpus))
    partial.replace(file)
    return corpus


async def _exchanges(directory: Path, count: int, rng: Rng, tell: Tell) -> Corpus:
    """Make at least `count` connections for HTTP exchanges, as many by each program; return their sizes."""
    names = [*PROGRAMS, "chromium"]
    corpus: Corpus = {name: [] for name in names}
    async with running_websites(len(names)) as sites:
        owner = {port: names[i] for ports in (sites.nginx, sites.python) for i, port in enumerate(ports)}
        while (done := _size(corpus)) < count:
            tell("ordinary exchanges", done, count)
            file = directory / "exchanges.pcap"
            async with capture(file, list(owner), kept=HEADERS):
                for i, name in enumerate(names):
                    bases = [f"http://{{}}:{ports[i]}" for ports in (sites.nginx, sites.python)]
                    await _exchange(name, bases, BATCH // len(names), rng)
            for flow in read_sizes(file, owner.keys()):
                if flow.sizes:
                    corpus[owner[flow.port]].append(on_ethernet(flow.sizes)[:KEPT_SEGMENTS])
            file.unlink()
    return {name: flows for name, flows in corpus.items() if flows}


async def _exchange(name: str, bases: list[str], count: int, rng: Rng) -> None:
    if name == "chromium":
        hosts = (f"host{number}.example.com" for number in range(min(count, BROWSER_HOSTS)))
        await browse([some_requests(rng.choice(bases).format(host), rng) for host in hosts])
        return
    program = PROGRAMS[name]
    asked = [some_requests(rng.choice(bases).format("127.0.0.1"), rng) for _ in range(count)]
    await _at_once(program(one) for one in asked)


async def _handshakes(directory: Path, count: int, rng: Rng, tell: Tell) -> Corpus:
    """Make at least `count` direct connections over TLS, and tell their sizes by kinds as F5 has them."""
    corpus: Corpus = {"TLS 1.2": [], "TLS 1.3": [], "TLS 1.3 with ML-KEM": []}
    async with running_websites(1) as sites:
        while (done := _size(corpus)) < count:
            tell("direct handshakes", done, count)
            chosen = [rng.choice(sites.tls) for _ in range(BATCH)]
            await _record(directory, sites, corpus, _at_once(shake_hands(site, rng) for site in chosen))
            newest = [site for site in sites.tls if site.version is TLSVersion.TLSv1_3]
            await _record(directory, sites, corpus, browse_sites(newest, BROWSER_HOSTS, rng), browser=True)
    return corpus


async def _record(
    directory: Path, sites: Websites, corpus: Corpus, traffic: Awaitable[None], *, browser: bool = False
) -> None:
    file = directory / "handshakes.pcap"
    versions = {site.port: site.version for site in sites.tls}
    async with capture(file, list(versions), kept=HEADERS):
        await traffic
    for flow in read_sizes(file, versions.keys()):
        kind = "TLS 1.2" if versions[flow.port] is TLSVersion.TLSv1_2 else "TLS 1.3"
        kind += " with ML-KEM" if browser else ""
        if flow.sizes and kind in corpus:  # else it is traffic of others, at another address
            corpus[kind].append(on_ethernet(flow.sizes)[:KEPT_SEGMENTS])
    file.unlink()


def _size(corpus: Corpus) -> int:
    return sum(map(len, corpus.values()))


async def _at_once(work: Iterable[Awaitable[None]]) -> None:
    """Do all of it, some at a time; what goes wrong on the way is part of traffic."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(job: Awaitable[None]) -> None:
        async with room:
            with suppress(*_MISHAPS):
                await job

    async with asyncio.TaskGroup() as group:
        for job in work:
            group.create_task(one(job))
