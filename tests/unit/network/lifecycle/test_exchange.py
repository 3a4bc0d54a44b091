"""Rows go out and come in again as they were, and only whole, checked and up to date."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.stopped_clock import StoppedClock
from tests.unit.network.networks import NOW, network_key

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.network.book import Book, Change, Conflict, Invalid
from headrace.network.lifecycle.exchange import export_rows, export_sealed, import_rows
from headrace.network.model import AuditEvent, Server
from headrace.network.vault import WrongKey, passphrase_key
from headrace.ssh.host_keys import HostKey

FIRST = "198.18.0.1"
KEY = passphrase_key("what it is sealed with", cost=2)
Rows = list[dict[str, Any]]


def rows_of(data: bytes) -> Rows:
    return [json.loads(line) for line in data.splitlines()]


def as_data(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def exported(book: Book, *kinds: str) -> Rows:
    with book.view() as view:
        return rows_of(export_rows(view, kinds) if kinds else export_rows(view))


def empty_book(place: Path) -> Book:
    url = str(place / "other.db")
    return Book.create(url, network_key(), "other", clock=StoppedClock(NOW), rng=SeededRng(2))


def test_what_is_imported_as_it_was_changes_nothing(book: Book) -> None:
    with book.view() as view:
        before = export_rows(view)
    with book.change("ann", "test") as change:
        done = import_rows(change, before)
        assert not change.settle()
        assert (done.same, done.added.total(), done.changed.total()) == (len(rows_of(before)), 0, 0)
    with book.view() as view:
        assert export_rows(view) == before


def test_what_is_edited_is_changed_and_exported_so(book: Book) -> None:
    rows = exported(book)
    server = next(row for row in rows if row.get("address") == FIRST)
    server |= {"ssh_port": 4022, "is_embedded": True, "status": "paused"}
    channel = next(row for row in rows if row.get("name") == "channel-0")
    channel |= {"name": "renamed", "max_osl_age": 9}
    for row in rows:
        row |= {"channel": "renamed"} if row["kind"] in ("server", "campaign") else {}
    told: list[tuple[int, int | None]] = []
    with book.change("ann", "test") as change:
        done = import_rows(change, as_data(*rows), progress=lambda *both: told.append(both))
        assert dict(+done.changed) == {"channel": 1, "server": 1}
    assert told[-1] == (len(rows), len(rows))
    with book.view() as view:
        assert view.server(FIRST).configuration_version == 1
    new = exported(book)
    for row in rows:
        row["revision"] = next(each for each in new if each["id"] == row["id"])["revision"]
    assert sorted(rows, key=str) == sorted(new, key=str)


def test_columns_that_are_left_out_stay(book: Book) -> None:
    row = next(row for row in exported(book, "server") if row["address"] == FIRST)
    with book.change("ann", "test") as change:
        before = change.server(FIRST).ossh_ports
        kept = {name: row[name] for name in ("kind", "id", "revision")}
        import_rows(change, as_data(kept | {"ssh_port": 4022}))
        assert (change.server(FIRST).ssh_port, change.server(FIRST).ossh_ports) == (4022, before)


def test_no_secret_is_exported_unless_it_is_asked_for(book: Book) -> None:
    with book.change("ann", "test") as change:
        plain, sealed = export_rows(change), export_sealed(change, KEY)
        secrets = [
            secret for server in change.servers() for secret in change.secrets(server).values() if secret
        ]
    assert len(secrets) > 10
    assert not [secret for secret in secrets if secret.encode() in plain or secret.encode() in sealed]
    with book.view() as view:
        event = view.session.scalars(select(AuditEvent).where(AuditEvent.kind == "export")).one()
        assert event.object_name == "with secrets"


def test_a_network_with_its_secrets_goes_to_another_one(book: Book, tmp_path: Path) -> None:
    with book.change("ann", "test") as change:
        facts = export_rows(change, ("channel", "sponsor", "provider", "host", "server"), identified=False)
        moved = [row for row in rows_of(facts) if row.get("name") != "Testing"]
        sealed = export_sealed(change, KEY, ("provider", "host", "server", "sponsor"), identified=False)
        expected = {server.address: dict(change.secrets(server)) for server in change.servers()}
    with empty_book(tmp_path) as other:
        with other.change("ann", "test") as change:
            import_rows(change, as_data(*(row for row in moved if row["kind"] == "channel")))
            done = import_rows(change, sealed, KEY)
            assert done.added["server"] == 4 and not done.changed
        with other.view() as view:
            there = rows_of(export_rows(view, identified=False))
            assert [row for row in there if row.get("name") != "Testing"] == moved
            assert {each.address: dict(view.secrets(each)) for each in view.servers()} == expected
            assert not any(each.published for each in view.servers())  # not seen working from there
            assert view.settings.default_sponsor_id == view.sponsor("sponsor-0").id


def test_what_is_sealed_takes_its_key(book: Book) -> None:
    with book.change("ann", "test") as change:
        sealed = export_sealed(change, KEY)
        with pytest.raises(OperatorError, match="this is sealed"):
            import_rows(change, sealed)
        with pytest.raises(WrongKey):
            import_rows(change, sealed, passphrase_key("something else", cost=2))
        assert import_rows(change, sealed, KEY).same


def test_secrets_change_by_a_sealed_file_only(book: Book) -> None:
    row = next(row for row in exported(book, "server") if row["address"] == FIRST)
    data = as_data(row | {"secrets": {"ssh_password": "new"}})
    with book.change("ann", "test") as change:
        with pytest.raises(OperatorError, match=r"line 1: .*sealed"):
            import_rows(change, data)
        done = import_rows(change, KEY.wrap(data, b"headrace exchange", SeededRng(3)), KEY)
        assert done.changed["server"] == 1
        assert change.secrets(change.server(FIRST))["ssh_password"] == "new"


def test_rows_that_changed_meanwhile_are_a_conflict(book: Book) -> None:
    rows = exported(book)
    with book.change("bob", "test") as change:
        change.server(FIRST).rate_limit = "2/second"
    rows[0]["max_osl_age"] = 77
    with pytest.raises(Conflict, match="changed meanwhile"), book.change("ann", "test") as change:
        import_rows(change, as_data(*rows))
    assert exported(book)[0]["max_osl_age"] != 77


def test_new_rows_get_what_they_leave_out(book: Book) -> None:
    data = as_data(
        {"kind": "server", "host": "h1", "channel": "web", "address": "203.0.113.5", "status": "active"}
        | {
            "capabilities": ["OSSH", "UNFRONTED-MEEK"],
            "ossh_ports": [443],
            "tested_at": "2027-01-01T00:00:00Z",
        },
        {"kind": "host", "name": "h1", "provider": "acme", "region": "SE", "deployment": "local"}
        | {"status": "active", "meek_port": 80},
        {"kind": "provider", "name": "acme"},
        {"kind": "sponsor", "name": "borrower", "use_data_from": "later"},
        {"kind": "sponsor", "name": "later", "home_pages": {"DE": ["https://example.org/"]}},
        {"kind": "channel", "name": "web"},
    )
    with book.change("ann", "test") as change:
        done = import_rows(change, data)
        assert done.added.total() == 6
    with book.view() as view:
        server = view.server("203.0.113.5")
        assert len(server.pseudonym.split()) == 3 and server.tag and server.created_at == view.now
        assert server.tested_at is None
        assert {"obfuscation_key", "web_secret"} <= view.secrets(server).keys()
        assert view.secrets(server.host).keys() == {"meek_obfuscation_key", "meek_cookie_private_key"}
        assert server.host.provider is view.provider("acme") and server.channel is view.channel("web")
        assert len(view.channel("web").public_id) == len(view.provider("acme").published_id) == 16
        assert view.sponsor("borrower").use_data_from_id == view.sponsor("later").id


def test_campaigns_come_in_and_get_a_bucket_that_stays(book: Book) -> None:
    data = as_data(
        {"kind": "campaign", "sponsor": "sponsor-0", "channel": "web", "account": "web@mail.example"},
        {"kind": "campaign", "sponsor": "sponsor-0", "channel": "web", "bucket_id": "bucket/web/one"},
        {"kind": "channel", "name": "web"},
    )
    with book.change("ann", "test") as change:
        assert import_rows(change, data).added["campaign"] == 2
    rows = [row for row in exported(book, "campaign") if row["channel"] == "web"]
    assert len(rows) == 2 and all(row["bucket_id"] for row in rows)
    with book.change("ann", "test") as change:
        assert import_rows(change, as_data(rows[0] | {"languages": ["fa"]})).changed["campaign"] == 1
        with pytest.raises(OperatorError, match="bucket_id cannot be changed"):
            import_rows(change, as_data(rows[1] | {"bucket_id": "another"}))


BAD: list[tuple[dict[str, Any] | bytes, str]] = [
    (b"{", "line 1: "),
    (b"[]", "line 1: "),
    (b"\xff", "line 1: "),
    ({"kind": "dog"}, "the kind is 'dog'"),
    ({"kind": []}, "the kind is []"),
    ({}, "the kind is None"),
    ({"kind": "host", "name": "x", "status": ""}, "status is empty"),
    ({"kind": "channel"}, "a new channel needs name"),
    ({"kind": "channel", "name": ""}, "name is empty"),
    ({"kind": "channel", "name": "channel-0"}, "two would have the name of the channel 'channel-0'"),
    ({"kind": "channel", "name": "x", "colour": "red"}, "a channel has no 'colour'; it has "),
    ({"kind": "channel", "name": "x", "revision": 3}, "a channel has no 'revision'"),
    ({"kind": "channel", "name": "x", "new_osl": "many"}, "new_osl: Expected `int`"),
    ({"kind": "channel", "name": "x", "id": "0"}, "line 1: "),
    ({"kind": "channel", "name": "x", "id": "0" * 32}, "an id and no revision"),
    ({"kind": "channel", "name": "x", "id": "0" * 32, "revision": 1}, "no channel with this id"),
    ({"kind": "host", "name": "x", "region": "SE"}, "a new host needs a provider"),
    ({"kind": "campaign", "sponsor": "sponsor-0"}, "a new campaign needs a channel"),
    ({"kind": "campaign", "sponsor": "nobody", "channel": "channel-0"}, "there is no sponsor 'nobody'"),
    ({"kind": "campaign", "bucket_id": "../other"}, "'../other' is no bucket"),
    ({"kind": "campaign", "bucket_id": ""}, "bucket_id is empty"),
    ({"kind": "host", "name": "x", "region": "None", "provider": "x"}, "a host is in one country"),
    ({"kind": "host", "name": "x", "region": "SE", "provider": "nobody"}, "there is no provider 'nobody'"),
    ({"kind": "host", "name": "x", "region": "SE", "provider": ""}, "provider is empty"),
    ({"kind": "host", "name": "x", "meek_port": 70000}, "70000 is no port"),
    ({"kind": "host", "name": "x", "status": "well"}, "'well' is none; there are new, "),
    ({"kind": "host", "name": "x", "created_at": "2027-01-01T00:00:00"}, "a time without a zone"),
    ({"kind": "server", "address": "fe80::1%eth0"}, "write the address as fe80::1"),
    ({"kind": "server", "address": "192.0.2.1", "replaces": "all"}, "'all' is no role; there are permanent"),
    ({"kind": "server", "address": "somewhere"}, "does not appear to be"),
    ({"kind": "server", "address": "192.0.2.1", "ossh_ports": [-1]}, "-1 is no port"),
    ({"kind": "server", "address": "192.0.2.1", "tag": "x"}, "a server has no 'tag'"),
    ({"kind": "sponsor", "name": "x", "home_pages": {"xx": []}}, "home_pages: 'xx' is not a region"),
    ({"kind": "sponsor", "name": "x", "home_pages": {"DE": "https://example.org"}}, "home_pages: "),
    ({"kind": "sponsor", "name": "x", "home_pages": {"DE": ["ftp://example.org"]}}, "is not the URL"),
    ({"kind": "sponsor", "name": "x", "alert_action_urls": {"why": ["nowhere"]}}, "is not the URL"),
    ({"kind": "sponsor", "name": "x", "page_view_rules": [{"regex": "("}]}, "a rule is like"),
    ({"kind": "sponsor", "name": "x", "page_view_rules": [{"regex": "(", "replace": "x"}]}, "regular expr"),
    ({"kind": "sponsor", "name": "x", "client_banner": "AAAA"}, "a whole PNG"),
]


@pytest.mark.parametrize(("row", "said"), BAD, ids=range(len(BAD)))
def test_rows_that_cannot_be_are_refused_and_their_line_is_named(
    shared_book: Book, row: dict[str, Any] | bytes, said: str
) -> None:
    data = row if isinstance(row, bytes) else as_data(row)
    with shared_book.change("ann", "test", dry_run=True) as change:
        with pytest.raises(OperatorError) as caught:
            import_rows(change, data)
        assert said in str(caught.value)
        assert not change.settle()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pseudonym", "dro fai mesk", "pseudonym cannot be changed"),
        ("created_at", "2020-01-01T00:00:00Z", "created_at cannot be changed"),
        ("tested_at", None, "tested_at cannot be changed"),
        ("status", "gone", "the status cannot become 'gone' by an import"),
        ("status", "new", "is active, and cannot become new"),
    ],
)
def test_what_is_history_or_a_gate_is_not_imported(
    shared_book: Book, field: str, value: str | None, said: str
) -> None:
    row = exported(shared_book, "server")[0] | {field: value}
    with shared_book.change("ann", "test", dry_run=True) as change:
        with pytest.raises(OperatorError, match=said):
            import_rows(change, as_data(row))
        assert not change.settle()


def test_a_server_at_another_address_is_tested_again_before_users_are_told(book: Book) -> None:
    row = next(row for row in exported(book, "server") if row["address"] == FIRST)
    with book.change("ann", "test") as change:
        assert change.server(FIRST).published
        import_rows(change, as_data(row | {"address": "203.0.113.77"}))
    with book.view() as view:
        moved = view.server("203.0.113.77")
        assert (moved.pseudonym, moved.configuration_version) == (row["pseudonym"], 1)
        assert not moved.published


def test_a_server_on_another_host_is_tested_again_before_users_are_told(book: Book) -> None:
    rows = exported(book, "server")
    with book.change("ann", "test") as change:
        import_rows(change, as_data(rows[0] | {"host": rows[1]["host"]}))
    with book.view() as view:
        servers = {server.pseudonym: server for server in view.servers()}
        assert servers[rows[0]["pseudonym"]].host is servers[rows[1]["pseudonym"]].host
        assert not servers[rows[0]["pseudonym"]].published
        assert servers[rows[1]["pseudonym"]].published


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("server", "ssh_host_key"),
        ("host", "meek_cookie_public_key"),
        ("host", "tactics_request_public_key"),
        ("host", "inproxy_session_public_key"),
    ],
)
def test_a_public_half_does_not_change_without_its_private_one(
    shared_book: Book, kind: str, field: str
) -> None:
    row = exported(shared_book, kind)[0] | {field: "AAAA"}
    with shared_book.change("ann", "test", dry_run=True) as change:
        with pytest.raises(OperatorError, match=f"line 1: {field} goes with a private key"):
            import_rows(change, as_data(row))
        assert not change.settle()


def test_a_public_half_changes_with_its_private_one(book: Book) -> None:
    row = next(row for row in exported(book, "server") if row["address"] == FIRST)
    key = HostKey.generate("ed25519")
    public = base64.b64encode(key.blob).decode()
    data = as_data(row | {"ssh_host_key": public, "secrets": {"ssh_private_key": key.to_pem()}})
    with book.change("ann", "test") as change:
        import_rows(change, KEY.wrap(data, b"headrace exchange", SeededRng(3)), KEY)
        assert change.server(FIRST).ssh_host_key == public


def test_all_that_is_wrong_is_said_and_nothing_is_done(book: Book) -> None:
    rows: Rows = [{"kind": "channel", "name": f"new {number}", "new_osl": "x"} for number in range(7)]
    with book.change("ann", "test") as change:
        with pytest.raises(OperatorError, match=r"line 5: .*; and 2 more$"):
            import_rows(change, as_data({"kind": "channel", "name": "good"}, *rows)[:-1])
        with pytest.raises(OperatorError, match="nothing to import"):
            import_rows(change, b"\n\n")
        assert not change.settle()


def test_a_row_that_is_there_twice_is_refused(book: Book) -> None:
    row = exported(book, "channel")[0]
    with (
        book.change("ann", "test") as change,
        pytest.raises(OperatorError, match="line 2: it is there twice"),
    ):
        import_rows(change, as_data(row, row))


def _capable_of_nothing(change: Change) -> bytes:
    row = rows_of(export_rows(change, ("server",)))[0]
    return as_data(row | {"capabilities": ["QUIC"]})


def test_what_would_not_be_in_order_is_not_kept(book: Book) -> None:
    with pytest.raises(Invalid, match="QUIC needs quic_port"), book.change("ann", "test") as change:
        import_rows(change, _capable_of_nothing(change))
    with book.view() as view:
        assert not [each for each in view.all(Server) if "QUIC" in each.capabilities]


def test_only_kinds_that_are_exchanged_are_exported(book: Book) -> None:
    assert {row["kind"] for row in exported(book, "host", "channel")} == {"host", "channel"}
    with book.view() as view, pytest.raises(OperatorError, match="'dog' is not exchanged"):
        export_rows(view, ["dog"])
