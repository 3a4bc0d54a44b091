"""Plans: contents against the ledger."""

from collections.abc import Iterator

from headrace.network.publish.contents import Content, Key, Parts
from headrace.network.publish.kinds import KINDS, Kind, kind_by_letter
from headrace.network.publish.ledger import UNCERTAIN, Entry
from headrace.network.publish.plan import GONE, NEVER, UNFINISHED, make_plan
from headrace.network.publish.stores.stored import StoredObject


def render() -> Iterator[StoredObject]:
    raise AssertionError("a plan renders nothing")


def content(kind: Kind = Kind.LIST, key: str = "a", **parts: str) -> Content:
    return Content(Key(kind, key, "store"), Parts(parts), render)


def applied(content: Content, **changes: object) -> Entry:
    facts: dict[str, object] = {"objects": {"x": "12"}, **changes}
    return Entry(content.id, content.parts.digest, parts=content.parts.versions, **facts)  # type: ignore[arg-type]


def test_what_the_ledger_has_is_not_in_the_plan() -> None:
    wanted = content(server="1")
    plan = make_plan([wanted], {wanted.id: applied(wanted)})
    assert (len(plan), plan.current) == (0, 1)


def test_what_it_has_not_is_there_with_the_reason() -> None:
    wanted = content(server="1")
    (item,) = make_plan([wanted], {})
    assert (item.content, item.reasons, item.changed) == (wanted, (NEVER,), frozenset({"server"}))
    (item,) = make_plan([wanted], {wanted.id: Entry(wanted.id, attempts=2, error="no")})
    assert item.reasons == (NEVER,)


def test_what_was_made_from_other_things_is_there_with_the_difference() -> None:
    (item,) = make_plan(
        [content(server="2", key_id="k")], {content().id: applied(content(server="1", key_id="k"))}
    )
    assert (item.reasons, item.changed) == (("server: 1 → 2",), frozenset({"server"}))


def test_what_did_not_come_to_an_end_is_there_though_it_is_the_same() -> None:
    wanted = content(server="1")
    for entry in (applied(wanted, objects={"x": UNCERTAIN}), applied(wanted, attempts=1)):
        (item,) = make_plan([wanted], {wanted.id: entry})
        assert item.reasons == (UNFINISHED,)


def test_what_ought_not_to_be_any_more_is_taken_away() -> None:
    old = content()
    (item,) = make_plan([], {old.id: applied(old)})
    assert (item.is_removal, item.is_lost, item.reasons) == (True, False, (GONE,))
    (item,) = make_plan([], {old.id: applied(old)}, lost={"store"})
    assert item.is_lost


def test_kinds_that_were_not_looked_at_are_left_alone() -> None:
    old = content(Kind.BUNDLE)
    assert len(make_plan([], {old.id: applied(old)}, {Kind.LIST})) == 0


def test_a_plan_can_be_cut_and_turned_around() -> None:
    plan = make_plan([content(Kind.PSINET), content(Kind.HOST), content(Kind.LIST)], {})
    assert [item.id.kind for item in plan] == [Kind.HOST, Kind.LIST, Kind.PSINET]
    assert [item.id.kind for item in plan.first({Kind.LIST})] == [Kind.LIST, Kind.HOST, Kind.PSINET]
    assert [item.id.kind for item in plan.only({Kind.LIST, Kind.HOST})] == [Kind.HOST, Kind.LIST]
    assert list(plan.by_kind()) == [Kind.HOST, Kind.LIST, Kind.PSINET]


def test_every_kind_has_its_place_and_letter() -> None:
    assert KINDS.keys() == set(Kind)
    assert "".join(sorted(each.letter for each in KINDS.values())) == "BDFHLMOPSWX"
    assert kind_by_letter("P") is Kind.PSINET
    steps = [KINDS[kind].step for kind in Kind]
    assert steps == sorted(steps)
    for kind in Kind:
        assert all(KINDS[needed].step < KINDS[kind].step for needed in KINDS[kind].after.values())
