"""What sources see of a network, and which changes of it are of no account to them."""

import pytest
from tests.unit.network.publish.rig import PlainRendering, Rig, add_host

from headrace.network.model import Provider, Server, Status
from headrace.network.publish.kinds import Kind
from headrace.network.publish.publishing import plan_for


@pytest.fixture(autouse=True)
def _published(rig: Rig) -> None:
    rig.publish()


def stale(rig: Rig) -> set[tuple[Kind, str]]:
    with rig.book.view() as view:
        return {(item.id.kind, item.id.key) for item in plan_for(view, PlainRendering(view))}


def test_a_server_that_is_seen_working_again_changes_nothing(rig: Rig) -> None:
    rig.clock.now += 60
    with rig.book.change("ann", "test") as change:
        for server in change.all(Server):
            server.tested_at = change.now
    assert stale(rig) == set()


def test_what_users_may_not_be_told_of_yet_is_in_no_list(rig: Rig) -> None:
    with rig.book.change("ann", "fail") as change:
        change.server("server number 0").tested_at = None
    assert stale(rig) == {(Kind.LIST, f"web/{bucket}") for bucket in ("mail-1", "mail-2", "web-1")}


def test_a_private_key_of_one_host_concerns_that_host_only(rig: Rig) -> None:
    with rig.book.change("ann", "rotate") as change:
        change.set_secrets(change.server("server number 2"), {"ssh_private_key": "another"})
    assert stale(rig) == {(Kind.HOST, "h2")}


def test_credentials_of_the_management_concern_devops(rig: Rig) -> None:
    with rig.book.change("ann", "rotate") as change:
        change.set_secrets(change.host("h2"), {"management_credential": "another"})
    assert {kind for kind, _ in stale(rig)} >= {Kind.DEVOPS}
    assert not {kind for kind, _ in stale(rig)} & {Kind.LIST, Kind.OSL, Kind.PSINET, Kind.FEEDBACK}


def test_hosts_that_there_is_no_way_to_yet_have_no_files(rig: Rig) -> None:
    with rig.book.change("ann", "make") as change:
        provider = change.all(Provider)[0]
        here, away = add_host(change, provider, "here"), add_host(change, provider, "away")
        here.status = away.status = Status.NEW
        away.deployment = "native"
    hosts = {key for kind, key in stale(rig) if kind in (Kind.HOST, Kind.PSINET)}
    assert hosts == {"here"}


def test_a_range_that_ends_takes_a_server_out_of_psinet(rig: Rig) -> None:
    rig.clock.now += 6 * 24 * 3600
    rig.publish()
    with rig.book.view() as view:
        before = {item.id: item.reasons for item in plan_for(view, PlainRendering(view))}
    assert before == {}
    with rig.book.change("ann", "cut") as change:
        server = change.server("server number 2")
        assert server.discovery_end is not None
        assert server.discovery_end <= change.now
        server.discovery_start = server.discovery_end = None
    assert (Kind.PSINET, "h0") not in stale(rig)


def test_pools_have_their_own_psinet_data(rig: Rig) -> None:
    with rig.book.change("ann", "pools") as change:
        change.settings.discovery_pools = 3
    rig.publish()
    found = {name: data for name, data in rig.hosts.objects.items() if name.endswith("psinet.json")}
    assert len(found) == 4
    assert len(set(found.values())) > 1
