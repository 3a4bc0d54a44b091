"""Carries out a plan: renders, uploads what is not there yet, and keeps the ledger.

Rendering and the ledger are for the thread that calls; uploads are for others, so that many hosts are waited
for at the same time. What fails is noted and tried again another time, and all else goes on. Whenever a
publication is cut off, the next one comes to the same objects: see `ledger`.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.network.book import Book
from headrace.network.publish.kinds import KINDS, Kind
from headrace.network.publish.ledger import UNCERTAIN, Entry, Ledger
from headrace.network.publish.outcome import Failure, Outcome
from headrace.network.publish.places import Places
from headrace.network.publish.plan import Item, Plan
from headrace.network.publish.stores.stored import StoredObject

__all__ = ["Progress", "carry_out"]

#: Is told how many items are done, and how many there are.
Progress = Callable[[int, int | None], None]

#: What one item may fail with; a ValueError is a name that no store could keep.
_ERRORS: Final = (HeadraceError, OSError, ValueError)
_GROUP: Final = 32  #: items whose entries are written together
_GROUP_BYTES: Final = 32 * 1024 * 1024  #: of objects in a group, after which it takes no more


def carry_out(
    book: Book,
    plan: Plan,
    places: Places,
    *,
    only: Collection[Kind] | None = None,
    first: Collection[Kind] = (),
    only_due: bool = False,
    workers: int = 8,
    progress: Progress = lambda _done, _total: None,
) -> Outcome:
    """Publish what a plan has, within the view that it was made of, and return how that went.

    `only` some kinds; some `first`, out of order, as a revocation needs it; `only_due` leaves for later what
    failed lately. `workers` uploads go on at the same time. Errors of one item are in the outcome, and in the
    ledger until it goes well.
    """
    wanted = plan.first(first) if only is None else plan.only(only).first(first)
    run = _Run(book, plan, places, workers, progress, len(wanted))
    with run:
        for _, step in itertools.groupby(wanted, lambda item: (item.id.kind in first, _step(item))):
            run.step(run.to_do(step, only_due))
    return run.outcome


@dataclass(slots=True)
class _Job:
    """One item on its way."""

    item: Item
    puts: list[StoredObject] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    objects: dict[str, str] = field(default_factory=dict)  #: what is there in the end

    @property
    def uncertain(self) -> dict[str, str]:
        """What is there in between."""
        before = self.item.entry.objects if self.item.entry else {}
        return dict(before) | dict.fromkeys((item.name for item in self.puts), UNCERTAIN)


class _Run:
    def __init__(
        self, book: Book, plan: Plan, places: Places, workers: int, progress: Progress, total: int
    ) -> None:
        self.outcome = Outcome()
        self._book = book
        self._ledger = Ledger(book)
        self._places = places
        self._progress = progress
        self._total, self._done = total, 0
        self._missing = Counter(
            item.id.kind for item in plan if not item.is_removal and places.has(item.id.place)
        )
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self._running: dict[Future[str], _Job] = {}

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def to_do(self, items: Iterable[Item], only_due: bool) -> Iterator[Item]:
        """Yield what can be done now, and account for what cannot."""
        now = self._now()
        for item in items:
            next_attempt = item.entry.next_attempt if item.entry else None
            if not item.is_lost and not self._places.has(item.id.place):
                self.outcome.without_place += 1
            elif only_due and next_attempt is not None and next_attempt > now:
                self.outcome.postponed += 1
            elif missing := self._waits_for(item):
                self.outcome.waiting.append(Failure(item.id, f"it waits for {KINDS[missing].title}"))
            else:
                yield item
                continue
            self._count(1)

    def step(self, items: Iterable[Item]) -> None:
        """Do all of these, and wait for the last."""
        for group in self._groups(items):
            self._ledger.begin([(job.item.id, job.uncertain) for job in group if job.puts or job.deletes])
            if self._pool is None:
                self._finish([(job, self._carry_out(job)) for job in group])
                continue
            for job in group:
                self._running[self._pool.submit(self._carry_out, job)] = job
            while len(self._running) > _GROUP:
                self._collect()
        while self._running:
            self._collect()

    def _groups(self, items: Iterable[Item]) -> Iterator[list[_Job]]:
        """Yield jobs that are ready, as many at once as there is room for."""
        group: list[_Job] = []
        size = 0
        for item in items:
            job = self._rendered(item)
            if job is None:
                continue
            group.append(job)
            size += sum(len(each.data) for each in job.puts)
            if len(group) >= _GROUP or size >= _GROUP_BYTES:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _rendered(self, item: Item) -> _Job | None:
        known = item.entry.objects if item.entry else {}
        if item.content is None:
            return _Job(item, deletes=[] if item.is_lost else [*known][::-1])
        try:
            objects = list(item.content.render())
        except _ERRORS as error:
            self._fail(item, _text(error))
            self._count(1)
            return None
        always = KINDS[item.id.kind].ages
        there = {each.name: each.sha256 for each in objects}
        return _Job(
            item,
            puts=[each for each in objects if always or known.get(each.name) != each.sha256],
            deletes=[name for name in reversed([*known]) if name not in there],
            objects=there,
        )

    def _carry_out(self, job: _Job) -> str:
        """Upload, in whatever thread; return what went wrong."""
        place = job.item.id.place
        try:
            for item in job.puts:
                self._places.put(place, item)
            for name in job.deletes:
                self._places.delete(place, name)
            if not job.item.is_removal and (job.puts or job.deletes):
                self._places.settle(place)
        except _ERRORS as error:
            return _text(error)
        return ""

    def _collect(self) -> None:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        self._finish([(self._running.pop(future), future.result()) for future in done])

    def _finish(self, results: list[tuple[_Job, str]]) -> None:
        now = self._now()
        good = [job for job, error in results if not error]
        self._ledger.succeed(
            [
                Entry(job.item.id, content.parts.digest, now, content.parts.versions, job.objects)
                for job in good
                if (content := job.item.content) is not None
            ]
        )
        for job in good:
            self._succeed(job)
        for job, error in results:
            if error:
                self._fail(job.item, error)
        self._count(len(results))

    def _succeed(self, job: _Job) -> None:
        if job.item.is_removal:
            self._ledger.forget(job.item.id)
            self.outcome.removed += 1
            return
        self._missing[job.item.id.kind] -= 1
        if not job.puts and not job.deletes:
            self.outcome.unchanged += 1
            return
        self.outcome.published += 1
        self.outcome.objects += len(job.puts)
        self.outcome.bytes += sum(len(each.data) for each in job.puts)

    def _fail(self, item: Item, error: str) -> None:
        attempts = item.entry.attempts if item.entry else 0
        self._ledger.fail(item.id, attempts + 1, error)
        self.outcome.failed.append(Failure(item.id, error))

    def _waits_for(self, item: Item) -> Kind | None:
        after = KINDS[item.id.kind].after
        return next(
            (kind for part, kind in after.items() if part in item.changed and self._missing[kind]), None
        )

    def _count(self, done: int) -> None:
        self._done += done
        self._progress(self._done, self._total)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._book.clock.time(), UTC)


def _step(item: Item) -> int:
    return KINDS[item.id.kind].step


def _text(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
