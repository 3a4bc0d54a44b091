"""Publications of a whole network: what goes where, what stays, and what a change of the network changes."""

import io
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.package_keys import KEY
from tests.unit.network.publish.rig import DAY, PlainRendering, Rig, osl_id

from headrace.documents.osl.registry import read_registry
from headrace.documents.server_list import stream_list
from headrace.documents.signed_package import open_package, read_package
from headrace.network.model import ClientVersion, Status
from headrace.network.publish.kinds import Kind
from headrace.network.publish.plan import Plan
from headrace.network.publish.publishing import plan_for, publish


def plan(rig: Rig) -> Plan:
    with rig.book.view() as view:
        return plan_for(view, PlainRendering(view))


def ids(plan: Plan) -> list[tuple[Kind, str]]:
    return [(item.id.kind, item.id.key) for item in plan]


def test_everything_is_published_at_first(rig: Rig) -> None:
    outcome = rig.publish()
    assert outcome.complete
    assert outcome.published == 4 + 3 + 4 + 3 + 4  # hosts, lists, extracts, obfuscated lists, psinet
    assert set(rig.hosts.objects) == {
        f"h{number}/{name}" for number in range(4) for name in ("server.json", "entries.json", "psinet.json")
    }
    assert set(rig.exports.objects) == {
        f"{name}/{name}.json" for name in ("statistics", "devops", "feedback", "mail")
    }
    assert set(rig.store.objects) == {
        f"web/{bucket}/{name}"
        for bucket in ("mail-1", "mail-2", "web-1")
        for name in ("server_list", "server_list_compressed", "osl/osl-registry")
    } | {f"web/{bucket}/osl/osl-{osl_id()}" for bucket in ("mail-1", "mail-2")}


def test_lists_are_as_clients_read_them(rig: Rig) -> None:
    rig.publish()
    for bucket, count in (("mail-1", 2), ("mail-2", 2), ("web-1", 1)):
        compressed = rig.store.objects[f"web/{bucket}/server_list_compressed"]
        lines = open_package(io.BytesIO(compressed), KEY.public).lines()
        assert len(list(stream_list(lines, "REMOTE", "2026-01-01T00:00:00Z"))) == count
        plain = rig.store.objects[f"web/{bucket}/server_list"]
        assert plain == zlib.decompress(compressed)
        assert read_package(plain, KEY.public, compressed=False)


def test_every_bucket_has_a_registry_though_it_is_empty(rig: Rig) -> None:
    rig.publish()
    for bucket, names in (("mail-1", [osl_id()]), ("web-1", [])):
        registry = rig.store.objects[f"web/{bucket}/osl/osl-registry"]
        chunks = open_package(io.BytesIO(registry), KEY.public).chunks()
        assert [spec.id.hex() for spec in read_registry(chunks)] == names


def test_a_second_publication_does_nothing(rig: Rig) -> None:
    rig.publish()
    before = rig.everything()
    rig.store.steps, rig.hosts.steps = [], []
    outcome = rig.publish()
    assert (outcome.published, outcome.unchanged, outcome.objects) == (0, 0, 0)
    assert rig.store.steps == rig.hosts.steps == []
    assert rig.everything() == before
    assert len(plan(rig)) == 0


def test_steps_are_taken_in_the_order_of_the_specification(rig: Rig) -> None:
    order = [item.id.kind for item in plan(rig)]
    assert [*dict.fromkeys(order)] == [
        Kind.HOST,
        Kind.LIST,
        Kind.STATISTICS,
        Kind.DEVOPS,
        Kind.FEEDBACK,
        Kind.MAIL,
        Kind.OSL,
        Kind.PSINET,
    ]


def test_the_registry_is_put_after_the_lists_that_it_names(rig: Rig) -> None:
    rig.publish()
    put = rig.store.done("put")
    assert put.index(f"web/mail-1/osl/osl-{osl_id()}") < put.index("web/mail-1/osl/osl-registry")


def test_a_change_of_one_server_publishes_only_what_has_it(rig: Rig) -> None:
    rig.publish()
    for memory in (rig.store, rig.hosts, rig.exports):
        memory.steps = []
    rig.change_port(1, 2222)
    assert [item for item in ids(plan(rig)) if item[0] != Kind.DEVOPS] == [
        (Kind.HOST, "h1"),
        (Kind.LIST, "web/mail-1"),
        (Kind.LIST, "web/mail-2"),
    ]
    rig.publish()
    assert rig.hosts.done("put") == ["h1/entries.json"]
    assert rig.hosts.done("reload") == ["h1"]
    assert set(rig.store.done("put")) == {
        f"web/{bucket}/{name}"
        for bucket in ("mail-1", "mail-2")
        for name in ("server_list", "server_list_compressed")
    }


def test_reasons_name_the_server_and_its_versions(rig: Rig) -> None:
    rig.publish()
    rig.change_port(0, 2222)
    reasons = {item.id: item.reasons for item in plan(rig) if item.id.kind == Kind.LIST}
    assert set(reasons.values()) == {("server server number 0: version 0 → version 1",)}
    assert len(reasons) == 3


def test_a_plan_of_a_dry_run_tells_what_the_change_would_cost(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "pause", dry_run=True) as change:
        change.server("server number 3").status = Status.PAUSED
        change.settle()
        planned = plan_for(change, PlainRendering(change))
    extracts = {Kind.STATISTICS, Kind.DEVOPS, Kind.FEEDBACK}
    assert {kind for kind, _ in ids(planned)} == {Kind.HOST, Kind.OSL, *extracts}
    assert len(plan(rig)) == 0


def test_a_removed_server_leaves_lists_and_tags_in_one_publication(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "remove") as change:
        server, host = change.server("server number 0"), change.host("h0")
        tag = server.tag
        server.status, server.removed_at, host.status = Status.GONE, change.now, Status.GONE
        change.strip_secrets(server)
    assert rig.publish().complete
    assert all(
        tag.encode() not in data for name, data in rig.everything().items() if not name.startswith("hosts h0")
    )
    assert len(plan(rig)) == 0


def test_a_host_that_is_being_removed_loses_its_files(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "remove") as change:
        server, host = change.server("server number 0"), change.host("h0")
        server.status, host.status = Status.REMOVING, Status.REMOVING
        change.strip_secrets(server)
    outcome = rig.publish()
    assert outcome.removed == 2
    assert not any(name.startswith("h0/") for name in rig.hosts.objects)


def test_a_host_that_is_gone_is_not_looked_for(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "remove") as change:
        server, host = change.server("server number 0"), change.host("h0")
        host.deployment, host.management_host_key = "native", "pinned"
        server.status, host.status = Status.GONE, Status.GONE
        change.strip_secrets(server)
    rig.hosts.unreachable = {"h0"}
    assert rig.publish().complete
    assert len(plan(rig)) == 0


def test_what_a_campaign_had_is_deleted_with_it(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "move") as change:
        change.campaign("web/mail-2").bucket_id = "web/mail-3"
    rig.publish()
    assert not any(name.startswith("web/mail-2/") for name in rig.store.objects)
    assert "web/mail-3/osl/osl-registry" in rig.store.objects
    deleted = rig.store.done("delete")
    assert deleted.index("web/mail-2/osl/osl-registry") < deleted.index(f"web/mail-2/osl/osl-{osl_id()}")


def test_an_obfuscated_list_that_is_named_no_more_is_deleted_after_the_registry(rig: Rig) -> None:
    rig.publish()
    rig.clock.now += 15 * DAY
    rig.store.steps = []
    rig.publish(only=[Kind.OSL])
    assert f"web/mail-1/osl/osl-{osl_id()}" not in rig.store.objects
    steps = [step for step in rig.store.steps if step[0] != "get" and "mail-1" in step[1]]
    assert steps == [
        ("put", "web/mail-1/osl/osl-registry"),
        ("delete", f"web/mail-1/osl/osl-{osl_id()}"),
    ]


def test_psinet_is_written_anew_every_day_though_it_is_the_same(rig: Rig) -> None:
    rig.publish()
    rig.hosts.steps = []
    rig.clock.now += DAY
    assert {(item.id.kind, item.reasons) for item in plan(rig)} == {(Kind.PSINET, ("a new day",))}
    rig.publish()
    assert sorted(rig.hosts.done("put")) == [f"h{number}/psinet.json" for number in range(4)]


def test_other_extracts_of_the_settings_do_not_touch_hosts(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "responder") as change:
        change.settings.responder_address = "get@example.org"
    assert ids(plan(rig)) == [(Kind.MAIL, "mail")]


def test_what_comes_out_the_same_is_not_uploaded(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "blocklist") as change:
        change.settings.blocklist = "192.0.2.0/24"
    rig.hosts.steps = []
    outcome = rig.publish()
    assert (outcome.published, outcome.unchanged) == (0, 4)
    assert rig.hosts.steps == []


def test_only_some_kinds_are_published_when_asked(rig: Rig) -> None:
    rig.publish(only=[Kind.LIST])
    assert rig.hosts.objects == rig.exports.objects == {}
    assert {item.id.kind for item in plan(rig)} == set(Kind) - {
        Kind.LIST,
        Kind.BUNDLE,
        Kind.DESTRUCTION,
        Kind.WEBSITE,
    }


def test_lists_come_first_in_an_emergency(rig: Rig) -> None:
    order: list[str] = []
    rig.store.before = lambda what, name: order.append(f"{what} {name}")
    rig.hosts.before = rig.store.before
    rig.publish(first=[Kind.LIST])
    puts = [step for step in order if step.startswith("put")]
    assert all("server_list" in step for step in puts[:6])
    assert puts[6].endswith("/server.json")


def test_several_uploads_at_once_come_to_the_same(rig: Rig, tmp_path: Path) -> None:
    rig.publish(workers=4)
    at_once = rig.everything()
    assert len(plan(rig)) == 0
    other = Rig(str(tmp_path / "other.db"))
    with other.book:
        other.publish()
        assert other.everything() == at_once


@pytest.mark.parametrize("missing", ["store", "hosts", "exports"])
def test_what_has_no_place_is_left_out(rig: Rig, missing: str) -> None:
    outcome = publish(rig.book, PlainRendering, replace(rig.places, **{missing: None}), workers=1)
    assert outcome.complete
    assert outcome.without_place == {"store": 6, "hosts": 8, "exports": 4}[missing]


def test_a_new_client_version_goes_to_all_hosts(rig: Rig) -> None:
    rig.publish()
    with rig.book.change("ann", "version") as change:
        change.add(ClientVersion(platform="Android", version=7, created_at=change.now))
    assert {(item.id.kind, item.reasons) for item in plan(rig)} == {(Kind.PSINET, ("client versions: new",))}
