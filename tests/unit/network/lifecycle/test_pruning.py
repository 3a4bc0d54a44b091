"""What is past its age goes by how many use it, and nothing goes of which that is not known."""

from datetime import timedelta

import pytest

from headrace.network.book import Book, Change
from headrace.network.lifecycle.pruning import past_their_time, prune
from headrace.network.model import PropagationChannel, Status
from headrace.network.strategy.pruning import Action

PERMANENT, PROPAGATION, DISCOVERY, OSL = (f"198.18.0.{number}" for number in (1, 2, 3, 4))


def aged(change: Change) -> list[PropagationChannel]:
    """Have the discovery server be past its time."""
    channel = change.channel("channel-0")
    channel.max_discovery_age = 30
    server = change.server(DISCOVERY)
    server.discovery_start = change.now - timedelta(days=50)
    server.discovery_end = change.now - timedelta(days=40)
    change.session.flush()
    return [channel]


@pytest.mark.parametrize(
    ("users", "action", "status"),
    [
        (0, Action.REMOVE, Status.GONE),
        (10, Action.REMOVE, Status.GONE),
        (11, Action.DRAIN, Status.DRAINING),
        (34, Action.DRAIN, Status.DRAINING),
        (35, Action.KEEP, Status.ACTIVE),
        (None, Action.REPORT, Status.ACTIVE),
    ],
)
def test_the_number_of_users_decides(book: Book, users: int | None, action: Action, status: Status) -> None:
    told: list[tuple[int, int | None]] = []
    with book.change("ann", "test") as change:
        server = change.server(DISCOVERY)
        done = prune(change, aged(change), {server.id: users}, progress=lambda *both: told.append(both))
        assert [(each.server, each.action) for each in done] == [(server, action)]
        name = server.pseudonym
    assert told == [(0, 1), (1, 1)]
    with book.view() as view:
        server = view.server(name)
        assert server.status == status
        assert bool(view.secrets(server)) == (status != Status.GONE)


def test_a_server_that_could_not_be_asked_is_reported_only(book: Book) -> None:
    with book.change("ann", "test") as change:
        channels = aged(change)
        events = len(change.settle())
        assert [each.action for each in prune(change, channels, {})] == [Action.REPORT]
        assert len(change.settle()) == events


def test_those_to_ask_are_known_before_the_change(book: Book) -> None:
    with book.change("ann", "test") as change:
        aged(change)
    with book.view() as view:
        asked = past_their_time(view, view.all(PropagationChannel))
        assert [server.address for server in asked] == [DISCOVERY]


def test_without_an_age_all_stay(book: Book) -> None:
    with book.change("ann", "test") as change:
        everyone = {server.id: 0 for server in change.servers()}
        assert prune(change, change.all(PropagationChannel), everyone) == []
