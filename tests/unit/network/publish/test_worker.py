"""Publications that are cut off, that fail in part, and that have to wait."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.network.publish.rig import DAY, Crash, PlainRendering, Rig

from headrace.base.errors import OperatorError
from headrace.documents.osl.config import OslConfig
from headrace.network.book import Book
from headrace.network.model import ClientVersion
from headrace.network.publish.contents import Content, Key, Parts
from headrace.network.publish.kinds import Kind
from headrace.network.publish.ledger import UNCERTAIN, Entry, Ledger, read_ledger
from headrace.network.publish.outcome import Outcome
from headrace.network.publish.places import NOWHERE, STORE, Places, host_place
from headrace.network.publish.publishing import publish
from headrace.network.publish.sources import SOURCES, Source
from headrace.network.publish.sources.material import Material
from headrace.network.publish.stores.stored import StoredObject


def entries(book: Book) -> dict[Key, Entry]:
    with book.view() as view:
        return read_ledger(view)


def entry(rig: Rig, kind: Kind, key: str, place: str) -> Entry:
    return entries(rig.book)[Key(kind, key, place)]


class Bomb:
    """Goes off at one of all the steps that places and the ledger take."""

    def __init__(self, at: int) -> None:
        self.left = at

    def tick(self, *_step: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def plant(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        rig.store.before = rig.hosts.before = rig.exports.before = self.tick
        begin, succeed = Ledger.begin, Ledger.succeed

        def ticking_begin(ledger: Ledger, uploads: object) -> None:
            self.tick()
            begin(ledger, uploads)  # type: ignore[arg-type]
            self.tick()

        def ticking_succeed(ledger: Ledger, done: object) -> None:
            self.tick()
            succeed(ledger, done)  # type: ignore[arg-type]
            self.tick()

        monkeypatch.setattr(Ledger, "begin", ticking_begin)
        monkeypatch.setattr(Ledger, "succeed", ticking_succeed)

    def defuse(self) -> None:
        self.left = 0  # it goes down from there


def alter(rig: Rig) -> None:
    """Change something of everything, so that some objects are new and some have to go."""
    rig.clock.now += 15 * DAY
    with rig.book.change("ann", "change") as change:
        change.server("server number 1").ssh_port = 2222
        change.settings.traffic_rules = {"DefaultRules": {}}
        change.campaign("web/mail-2").bucket_id = "web/mail-3"


def test_whenever_it_is_cut_off_the_next_one_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Rig(str(tmp_path / "whole.db"), hosts=2)
    whole.publish()
    alter(whole)
    counting = Bomb(0)
    with monkeypatch.context() as patch:
        counting.plant(whole, patch)
        whole.publish()
    expected, steps = whole.everything(), -counting.left
    assert steps > 40

    rig = Rig(str(tmp_path / "cut.db"), hosts=2)
    rig.publish()
    start = rig.everything()
    ledger = list(entries(rig.book).values())
    alter(rig)
    for at in range(1, steps + 1):
        bomb = Bomb(at)
        with monkeypatch.context() as patch:
            bomb.plant(rig, patch)
            with pytest.raises(Crash):
                rig.publish()
            bomb.defuse()
            assert rig.publish().complete
        assert rig.everything() == expected, f"cut off at step {at}"
        assert rig.publish().published == 0
        put_back(rig, start, ledger)
    whole.book.close()
    rig.book.close()


def put_back(rig: Rig, objects: dict[str, bytes], ledger: list[Entry]) -> None:
    """Have everything be as it was."""
    for name, memory in (("store ", rig.store), ("hosts ", rig.hosts), ("exports ", rig.exports)):
        memory.objects = {
            each.removeprefix(name): data for each, data in objects.items() if each.startswith(name)
        }
    writer = Ledger(rig.book)
    for each in entries(rig.book):
        writer.forget(each)
    writer.succeed(ledger)


def test_bytes_that_came_back_after_a_crash_are_not_taken_for_what_is_there(rig: Rig) -> None:
    rig.publish()
    wanted = rig.everything()

    def crash(what: str, name: str) -> None:
        if (what, name) == ("reload", "h0"):
            raise Crash

    with rig.book.change("ann", "rules") as change:
        change.settings.traffic_rules = {"DefaultRules": {}}
    rig.hosts.before = crash
    with pytest.raises(Crash):
        rig.publish()
    rig.hosts.before = lambda _what, _name: None
    with rig.book.change("ann", "rules") as change:
        change.settings.traffic_rules = {}
    assert rig.everything() != wanted
    rig.publish()
    assert rig.everything() == wanted


def test_one_host_that_is_not_reached_holds_nothing_up(rig: Rig) -> None:
    rig.hosts.unreachable = {"h1"}
    outcome = rig.publish()
    assert {(failure.id.kind, failure.error) for failure in outcome.failed} == {
        (Kind.HOST, "the host h1 does not answer"),
        (Kind.PSINET, "the host h1 does not answer"),
    }
    assert outcome.published == 16
    assert "h2/psinet.json" in rig.hosts.objects
    assert "web/mail-1/osl/osl-registry" in rig.store.objects


def test_a_failure_is_on_record_until_it_goes_well(rig: Rig) -> None:
    rig.hosts.unreachable = {"h1"}
    now = datetime.fromtimestamp(rig.clock.now, UTC)
    for attempts, minutes in ((1, 1), (2, 2), (3, 4)):
        rig.publish()
        failed = entry(rig, Kind.HOST, "h1", host_place("h1"))
        assert (failed.attempts, failed.error) == (attempts, "the host h1 does not answer")
        assert failed.next_attempt == now + timedelta(minutes=minutes)
        assert failed.applied == ""
    rig.hosts.unreachable = set()
    assert rig.publish().published == 2
    mended = entry(rig, Kind.HOST, "h1", host_place("h1"))
    assert (mended.attempts, mended.error, mended.next_attempt) == (0, "", None)
    assert mended.applied_at == now


def test_pauses_between_attempts_do_not_grow_beyond_hours(rig: Rig) -> None:
    ledger = Ledger(rig.book)
    identity = Key(Kind.HOST, "h1", host_place("h1"))
    ledger.fail(identity, 1000, "no")
    paused = entries(rig.book)[identity].next_attempt
    assert paused == datetime.fromtimestamp(rig.clock.now, UTC) + timedelta(hours=6)


def test_what_failed_lately_can_be_left_for_later(rig: Rig) -> None:
    rig.hosts.unreachable = {"h1"}
    rig.publish()
    outcome = rig.publish(only_due=True)
    assert (outcome.postponed, outcome.failed) == (2, [])
    assert not outcome.complete
    rig.clock.now += 61
    rig.hosts.unreachable = set()
    assert rig.publish(only_due=True).published == 2


def test_an_upload_that_arrives_otherwise_is_a_failure_and_is_tried_again(rig: Rig) -> None:
    rig.store.spoils = {"web/mail-1/server_list_compressed"}
    rig.hosts.spoils = {"h0/server.json"}
    outcome = rig.publish()
    assert {failure.id.key for failure in outcome.failed} == {"web/mail-1", "h0"}
    assert all("publish again" in failure.error for failure in outcome.failed)
    uncertain = entry(rig, Kind.LIST, "web/mail-1", STORE).objects
    assert set(uncertain.values()) == {UNCERTAIN}
    rig.store.spoils, rig.hosts.spoils = set(), set()
    assert rig.publish().published == 2
    whole = rig.store.objects
    assert whole["web/mail-1/server_list_compressed"] == whole["web/mail-2/server_list_compressed"]


def test_a_host_is_told_again_when_that_was_what_failed(rig: Rig) -> None:
    rig.publish()
    rig.change_port(0, 2222)

    def fail(what: str, name: str) -> None:
        if what == "reload":
            raise OperatorError(f"{name} does not reload")

    rig.hosts.before = fail
    assert [failure.error for failure in rig.publish().failed] == ["h0 does not reload"]
    rig.hosts.before = lambda _what, _name: None
    rig.hosts.steps = []
    rig.publish()
    assert rig.hosts.done("reload") == ["h0"]


class NoSchemes(PlainRendering):
    """A network whose obfuscated lists cannot be made."""

    def osl_config(self) -> OslConfig:
        raise OperatorError("the master key of scheme 0 is missing")


def test_what_cannot_be_made_fails_by_itself(rig: Rig) -> None:
    outcome = publish(rig.book, NoSchemes, rig.places, workers=1)
    assert {(failure.id.kind, failure.error) for failure in outcome.failed} == {
        (Kind.OSL, "the master key of scheme 0 is missing")
    }
    assert len(outcome.failed) == 3
    assert outcome.published == 15


def test_a_bucket_with_a_name_that_no_store_can_keep_fails_by_itself(rig: Rig) -> None:
    with rig.book.change("ann", "move") as change:
        change.campaign("web/mail-2").bucket_id = "web//mail-2"
    outcome = rig.publish()
    assert {failure.id.key for failure in outcome.failed} == {"web//mail-2"}
    assert all("empty part" in failure.error for failure in outcome.failed)
    assert outcome.published == 16


class Builds:
    """A source of client builds, as good as the store."""

    def __init__(self) -> None:
        self.version = "1"
        self.error = ""

    def contents(self, _material: Material) -> Iterator[Content]:
        yield Content(Key(Kind.BUNDLE, "web/mail-1", STORE), Parts({"version": self.version}), self._render)

    def _render(self) -> list[StoredObject]:
        if self.error:
            raise OperatorError(self.error)
        return [StoredObject("web/mail-1/client.pyz", self.version.encode())]

    def publish(self, rig: Rig, *only: Kind) -> Outcome:
        sources = (*SOURCES, Source(frozenset({Kind.BUNDLE}), self.contents))
        return publish(rig.book, PlainRendering, rig.places, sources=sources, only=only or None, workers=1)


def test_a_version_is_announced_only_when_its_builds_are_there(rig: Rig) -> None:
    builds = Builds()
    builds.publish(rig)
    builds.version, builds.error = "2", "it cannot be built"
    with rig.book.change("ann", "version") as change:
        change.add(ClientVersion(platform="Android", version=2, created_at=change.now))
    outcome = builds.publish(rig)
    assert [failure.error for failure in outcome.failed] == ["it cannot be built"]
    assert {(failure.id.kind, failure.error) for failure in outcome.waiting} == {
        (Kind.PSINET, "it waits for client builds")
    }
    assert len(builds.publish(rig, Kind.PSINET).waiting) == 4
    builds.error = ""
    assert builds.publish(rig).published == 5


def test_builds_that_have_no_place_are_not_waited_for(rig: Rig) -> None:
    with rig.book.change("ann", "version") as change:
        change.add(ClientVersion(platform="Android", version=2, created_at=change.now))
    rig.store, store = None, rig.store  # type: ignore[assignment]
    outcome = Builds().publish(rig)
    assert (outcome.waiting, outcome.without_place) == ([], 7)
    assert "h0/psinet.json" in rig.hosts.objects
    rig.store = store


def test_psinet_without_a_new_version_does_not_wait_for_builds(rig: Rig) -> None:
    builds = Builds()
    builds.publish(rig)
    builds.version, builds.error = "2", "it cannot be built"
    rig.clock.now += DAY
    assert builds.publish(rig).waiting == []


def test_what_leaves_no_objects_is_done_once(rig: Rig) -> None:
    destroyed: list[str] = []

    def contents(_material: Material) -> Iterator[Content]:
        identity = Key(Kind.DESTRUCTION, "machine 1", NOWHERE)
        yield Content(identity, Parts({}), lambda: destroyed.append("machine 1") or ())  # type: ignore[func-returns-value]

    sources = (Source(frozenset({Kind.DESTRUCTION}), contents),)
    for _ in range(2):
        assert publish(rig.book, PlainRendering, Places(), sources=sources).complete
    assert destroyed == ["machine 1"]
    sources = (Source(frozenset({Kind.DESTRUCTION}), lambda _material: iter(())),)
    assert publish(rig.book, PlainRendering, Places(), sources=sources).removed == 1


def test_what_no_source_is_for_stays(rig: Rig) -> None:
    Builds().publish(rig)
    rig.publish()
    assert "web/mail-1/client.pyz" in rig.store.objects


def test_progress_is_told_to_the_end(rig: Rig) -> None:
    told: list[tuple[int, int | None]] = []
    rig.hosts.unreachable = {"h0"}
    publish(
        rig.book,
        PlainRendering,
        rig.places,
        workers=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (18, 18)
    assert told == sorted(told)
