"""A publication from beginning to end: a view, a plan, and the plan carried out.

plan_for    what has to be published of a view, or of a change that is not committed yet
publish     that, done
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from headrace.network.book import Book, View
from headrace.network.publish.contents import Key
from headrace.network.publish.kinds import Kind
from headrace.network.publish.ledger import Entry, read_ledger
from headrace.network.publish.outcome import Outcome
from headrace.network.publish.places import Places, host_place
from headrace.network.publish.plan import Plan, make_plan
from headrace.network.publish.sources import SOURCES, Source
from headrace.network.publish.sources.material import Material, Rendering
from headrace.network.publish.status import Status, publication_status
from headrace.network.publish.turns import only_publication
from headrace.network.publish.worker import Progress, carry_out

__all__ = ["plan_for", "plan_of", "publish", "status_of"]


def plan_for(view: View, rendering: Rendering, sources: Sequence[Source] = SOURCES) -> Plan:
    """Return what has to be published of a view, and why. A change has to be settled before.

    Of kinds that no source is for nothing is planned, and what is there of them stays.
    """
    return plan_of(Material(view, rendering), read_ledger(view), sources)


def status_of(view: View, rendering: Rendering, sources: Sequence[Source] = SOURCES) -> Status:
    """Return how what is published compares to what ought to be."""
    material, ledger = Material(view, rendering), read_ledger(view)
    plan = plan_of(material, ledger, sources)
    return publication_status(plan, ledger, [host.name for host in material.hosts], view.now)


def publish(
    book: Book,
    rendering: Callable[[View], Rendering],
    places: Places,
    *,
    sources: Sequence[Source] = SOURCES,
    only: Collection[Kind] | None = None,
    first: Collection[Kind] = (),
    only_due: bool = False,
    workers: int = 8,
    progress: Progress = lambda _done, _total: None,
) -> Outcome:
    """Publish whatever is not as it ought to be; see `carry_out` for the choices there are.

    Raises OperatorError for what concerns all of it, and while there is another publication of the network.
    """
    with book.view() as turn, only_publication(turn), book.view() as view:
        plan = plan_for(view, rendering(view), sources)
        return carry_out(
            book,
            plan,
            places,
            only=only,
            first=first,
            only_due=only_due,
            workers=workers,
            progress=progress,
        )


def plan_of(material: Material, ledger: Mapping[Key, Entry], sources: Sequence[Source]) -> Plan:
    """Return what has to be published of material that is at hand."""
    return make_plan(
        (content for source in sources for content in source.contents(material)),
        ledger,
        frozenset(kind for source in sources for kind in source.kinds),
        frozenset(map(host_place, material.lost_hosts)),
    )
