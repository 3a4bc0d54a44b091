"""A change raises versions, keeps a record, and is all or nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.unit.network.book.small_network import PSEUDONYM, a_server

from headrace.base.errors import OperatorError
from headrace.documents.entry_fields import derived_tag
from headrace.network.book import Book, Conflict, Invalid
from headrace.network.model import (
    LOCAL,
    AuditEvent,
    ClientVersion,
    Host,
    Provider,
    SealedSecrets,
    Status,
)


def version(book: Book) -> int:
    with book.view() as view:
        return view.server(PSEUDONYM).configuration_version


def audit(book: Book) -> list[AuditEvent]:
    with book.view() as view:
        events = list(view.session.scalars(select(AuditEvent).order_by(AuditEvent.number)))
        view.session.expunge_all()
        return events


@pytest.mark.parametrize("field", [{"ssh_port": 2222}, {"capabilities": []}, {"address": "192.0.2.9"}])
def test_what_clients_see_raises_the_version(book: Book, field: dict[str, Any]) -> None:
    with book.change("ann", "test") as change:
        for name, value in field.items():
            setattr(change.server(PSEUDONYM), name, value)
    assert version(book) == 1


def test_the_version_is_raised_once_in_a_change_however_much_is_changed(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(PSEUDONYM)
        server.ssh_port = 2222
        change.settle()
        server.ssh_port = 2223
        server.host.region = "FR"
        change.set_secrets(server, {"ssh_password": "another"})
    assert version(book) == 1


@pytest.mark.parametrize("field", [{"is_permanent": True}, {"rate_limit": "3/s"}, {"recipe": "wide"}])
def test_what_clients_do_not_see_raises_no_version(book: Book, field: dict[str, Any]) -> None:
    with book.change("ann", "test") as change:
        for name, value in field.items():
            setattr(change.server(PSEUDONYM), name, value)
    assert version(book) == 0
    assert len(audit(book)) > 0


def test_a_change_to_a_host_raises_the_version_of_its_servers(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.host("h1").region = "FR"
    assert version(book) == 1


def test_a_new_secret_that_clients_know_raises_the_version_and_another_does_not(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.set_secrets(change.server(PSEUDONYM), {"ssh_private_key": "PEM"})
    assert version(book) == 0
    with book.change("ann", "test") as change:
        change.set_secrets(change.server(PSEUDONYM), {"obfuscation_key": "00" * 32})
    assert version(book) == 1


def test_a_tag_follows_the_address_and_the_web_secret(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.server(PSEUDONYM).address = "198.51.100.4"
    with book.view() as view:
        expected = derived_tag({"webServerSecret": "w" * 64, "ipAddress": "198.51.100.4"})
        assert view.server(PSEUDONYM).tag == expected


def test_an_audit_event_says_who_why_and_what(book: Book) -> None:
    with book.change("ann", "server set", "it was blocked") as change:
        change.server(PSEUDONYM).ssh_port = 2222
    event = audit(book)[-1]
    assert (event.actor, event.action, event.reason) == ("ann", "server set", "it was blocked")
    assert (event.kind, event.object_name) == ("servers", PSEUDONYM)
    assert event.before == {"ssh_port": 22, "configuration_version": 0}
    assert event.after == {"ssh_port": 2222, "configuration_version": 1}


def test_secrets_are_in_the_audit_log_as_fingerprints_only(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.set_secrets(change.server(PSEUDONYM), {"ssh_password": "hunter-two"})
    event = audit(book)[-1]
    assert event.after["secrets"].keys() == {"ssh_password"}
    assert event.before["secrets"] != event.after["secrets"]
    everything = repr([vars(each) for each in audit(book)])
    assert "hunter-two" not in everything
    assert f"p-{PSEUDONYM}" not in everything


def test_secrets_are_sealed_in_the_database(book: Book) -> None:
    with book.view() as view:
        assert view.secrets(view.server(PSEUDONYM))["ssh_password"] == f"p-{PSEUDONYM}"
        rows = view.session.scalars(select(SealedSecrets.sealed)).all()
    assert rows
    assert not any(b"p-dro" in sealed for sealed in rows)


def test_the_audit_log_cannot_be_rewritten(book: Book) -> None:
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit"):
        with pytest.raises(OperatorError, match="append-only"), book.write() as session:
            session.execute(text(statement))
            session.commit()
    assert {event.actor for event in audit(book)} == {"ann", "headrace"}


def test_a_dry_run_says_the_same_and_changes_nothing(book: Book) -> None:
    before = book.back_up()
    with book.change("ann", "test", dry_run=True) as change:
        change.server(PSEUDONYM).ssh_port = 2222
        change.set_secrets(change.server(PSEUDONYM), {"ssh_password": "x"})
    assert [event.after.get("ssh_port") for event in change.events] == [2222]
    assert book.back_up() == before


def test_a_change_that_fails_changes_nothing(book: Book) -> None:
    before = book.back_up()
    with pytest.raises(ZeroDivisionError), book.change("ann", "test") as change:
        change.server(PSEUDONYM).ssh_port = 2222
        change.settle()
        raise ZeroDivisionError
    assert book.back_up() == before


def test_a_change_of_nothing_leaves_no_trace(book: Book) -> None:
    before = book.back_up()
    with book.change("ann", "test") as change:
        change.server(PSEUDONYM).ssh_port = 22
        assert change.settle() == []
    assert book.back_up() == before


def test_what_another_has_changed_meanwhile_is_not_overwritten(book: Book) -> None:
    with book.view() as view:
        seen = view.server(PSEUDONYM).revision
    with book.change("bob", "test") as change:
        change.server(PSEUDONYM).ssh_port = 2222
    with pytest.raises(Conflict, match="changed meanwhile"), book.change("ann", "test") as change:
        change.expect(change.server(PSEUDONYM), seen)


def test_a_change_of_secrets_only_is_one_to_whoever_has_seen_the_object(book: Book) -> None:
    with book.view() as view:
        seen = view.host("h1").revision
    with book.change("bob", "test") as change:
        change.set_secrets(change.host("h1"), {"management_credential": "new"})
        change.settle()
    with book.view() as view:
        assert view.host("h1").revision == seen + 1
    with book.change("bob", "test") as change:
        change.set_secrets(change.host("h1"), {"management_credential": "new"})
        assert change.settle() == []


def test_an_object_read_before_another_wrote_it_is_not_written(book: Book) -> None:
    with book.view() as view:
        stale = view.server(PSEUDONYM)
        view.session.expunge(stale)
    with book.change("bob", "test") as change:
        change.server(PSEUDONYM).ssh_port = 2222
    with pytest.raises(Conflict), book.change("ann", "test") as change:
        change.session.add(stale)
        stale.ssh_port = 2300
    with book.view() as view:
        assert view.server(PSEUDONYM).ssh_port == 2222


def test_a_capability_without_its_port_or_key_is_refused(book: Book) -> None:
    with pytest.raises(Invalid, match=r"TLS needs tls_port.*meek_obfuscation_key"):
        with book.change("ann", "test") as change:
            change.server(PSEUDONYM).capabilities = ["SSH", "TLS"]
    with pytest.raises(Invalid, match="FRONTED-MEEK needs fronting_domain"):
        with book.change("ann", "test") as change:
            change.server(PSEUDONYM).capabilities = ["FRONTED-MEEK"]


def test_a_host_cannot_lose_what_its_servers_need(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(PSEUDONYM)
        server.tls_port = 443
        server.capabilities = ["SSH", "TLS"]
        change.set_secrets(server.host, {"meek_obfuscation_key": "00"})
    with pytest.raises(Invalid, match="TLS needs the secret"), book.change("ann", "test") as change:
        change.set_secrets(change.host("h1"), {"meek_obfuscation_key": None})


def test_two_servers_of_discovery_cannot_share_an_address(book: Book) -> None:
    with pytest.raises(Invalid, match=r"address 192\.0\.2\.1"), book.change("ann", "test") as change:
        week = {"discovery_start": change.now, "discovery_end": change.now + timedelta(days=7)}
        server = change.server(PSEUDONYM)
        for name, value in week.items():
            setattr(server, name, value)
        a_server(change, change.host("h1"), "gla ho trist", "192.0.2.1", **week)


def test_what_is_gone_keeps_no_secrets(book: Book) -> None:
    with pytest.raises(Invalid, match="still has secrets"), book.change("ann", "test") as change:
        change.server(PSEUDONYM).status = Status.GONE
    with book.change("ann", "test") as change:
        server = change.server(PSEUDONYM)
        server.status = Status.GONE
        change.strip_secrets(server)
    with book.view() as view:
        assert not view.secrets(view.server(PSEUDONYM))
        assert view.server(PSEUDONYM).address == "192.0.2.1"


def test_client_versions_only_grow(book: Book) -> None:
    for number in (3, 7):
        with book.change("ann", "test") as change:
            change.add(ClientVersion(platform="Linux", version=number, created_at=change.now))
    for number in (7, 5):
        with pytest.raises(Invalid), book.change("ann", "test") as change:
            change.add(ClientVersion(platform="Linux", version=number, created_at=change.now))
    with book.change("ann", "test") as change:
        change.add(ClientVersion(platform="Windows", version=1, created_at=change.now))
        change.add(ClientVersion(platform="Windows", version=2, created_at=change.now))


def test_a_pseudonym_is_never_used_again(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = change.server(PSEUDONYM)
        server.status = Status.GONE
        change.strip_secrets(server)
    with pytest.raises(Invalid, match="the database refuses"), book.change("ann", "test") as change:
        a_server(change, change.host("h1"), PSEUDONYM, "192.0.2.7")


def test_an_active_host_has_a_region(book: Book) -> None:
    with pytest.raises(Invalid, match="active_has_region"), book.change("ann", "test") as change:
        change.host("h1").region = ""


def test_an_unknown_secret_is_a_mistake_of_ours(book: Book) -> None:
    with pytest.raises(KeyError), book.change("ann", "test") as change:
        change.set_secrets(change.server(PSEUDONYM), {"no_such_secret": "x"})


@pytest.mark.parametrize(
    ("field", "value", "raised"),
    [("passthrough_address", "203.0.113.9:443", 1), ("datacenter", "another", 0), ("settings", {"A": 1}, 0)],
)
def test_what_shapes_entries_unseen_raises_the_version_as_well(
    book: Book, field: str, value: object, raised: int
) -> None:
    with book.change("ann", "test") as change:
        setattr(change.host("h1"), field, value)
    assert version(book) == raised


def test_another_provider_or_host_is_seen_in_entries(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.provider("stratus").published_id = "FF112233AABBCCDD"
    assert version(book) == 1
    with book.change("ann", "test") as change:
        change.provider("stratus").weight = 7
    assert version(book) == 1
    with book.change("ann", "test") as change:
        other = change.add(Provider(name="nimbus", published_id="AA112233AABBCCDD"))
        change.host("h1").provider_id = other.id
    assert version(book) == 2
    with book.change("ann", "test") as change:
        host = change.host("h1")
        facts = {"provider_id": host.provider_id, "region": "FR", "status": Status.ACTIVE}
        new = change.add(Host(name="h2", deployment=LOCAL, created_at=change.now, **facts))
        change.server(PSEUDONYM).host_id = new.id
    assert version(book) == 3
