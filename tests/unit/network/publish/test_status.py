"""What people are told of what is published."""

from datetime import UTC, datetime

from tests.unit.network.publish.rig import DAY, PlainRendering, Rig

from headrace.network.model import Sponsor
from headrace.network.publish.kinds import Kind
from headrace.network.publish.publishing import status_of
from headrace.network.publish.status import Status


def status(rig: Rig) -> Status:
    with rig.book.view() as view:
        return status_of(view, PlainRendering(view))


def test_before_the_first_publication_all_is_stale_and_psinet_is_missing(rig: Rig) -> None:
    found = status(rig)
    assert (found.current, len(found.stale)) == (0, 18)
    assert {stale.reasons for stale in found.stale} == {("it was never published",)}
    assert found.old_psinet == ("h0", "h1", "h2", "h3")
    assert "h0, h1, h2, h3" in found.alerts[0]


def test_after_a_publication_nothing_is_stale(rig: Rig) -> None:
    rig.publish()
    found = status(rig)
    assert (found.current, found.stale, found.alerts) == (18, (), ())


def test_what_is_stale_is_explained(rig: Rig) -> None:
    rig.publish()
    rig.change_port(1, 2222)
    with rig.book.change("ann", "pages") as change:
        change.sponsor("lantern").home_pages = {"None": ["https://example.org/"]}
    reasons = {(stale.id.kind, stale.reasons) for stale in status(rig).stale}
    assert (Kind.LIST, ("server server number 1: version 0 → version 1",)) in reasons
    assert (Kind.HOST, ("server server number 1: changed",)) in reasons
    assert (Kind.PSINET, ("sponsors: changed",)) in reasons


def test_counts_are_told_where_there_are_too_many_to_name(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "sponsor") as change:
        change.add(Sponsor(name="torch", public_id="1111222233334444"))
    reasons = {stale.reasons for stale in status(rig).stale if stale.id.kind == Kind.PSINET}
    assert reasons == {("sponsors: 1 → 2",)}


def test_psinet_of_more_than_a_day_is_an_alert(rig: Rig) -> None:
    rig.publish()
    rig.clock.now += DAY
    assert status(rig).alerts == ()
    rig.hosts.unreachable = {"h2"}
    rig.publish()
    rig.clock.now += 1
    found = status(rig)
    assert found.old_psinet == ("h2",)
    assert found.psinet_ages["h2"] is not None
    assert found.psinet_ages["h2"].total_seconds() == DAY + 1


def test_failures_are_told_with_their_next_attempt(rig: Rig) -> None:
    rig.hosts.unreachable = {"h2"}
    rig.publish()
    found = status(rig)
    assert {(stale.id.kind, stale.attempts, stale.error) for stale in found.failing} == {
        (Kind.HOST, 1, "the host h2 does not answer"),
        (Kind.PSINET, 1, "the host h2 does not answer"),
    }
    assert {stale.next_attempt for stale in found.failing} == {
        datetime.fromtimestamp(rig.clock.now + 60, UTC)
    }
    assert "2 publications fail" in found.alerts[1]
