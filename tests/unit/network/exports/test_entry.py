"""An entry is what clients read, signed by the network's key, and tells of nothing that they cannot use."""

import pytest
from tests.unit.network.exports.full_server import COLUMNS, with_everything

from headrace.base.errors import OperatorError
from headrace.documents.entry_fields import derived_tag
from headrace.documents.entry_signature import verify_entry
from headrace.documents.server_entry import ServerEntry
from headrace.network.book import Book, View
from headrace.network.custody import entry_signer
from headrace.network.exports.entry import entry_record
from headrace.network.model import Server
from headrace.network.rendering.network import NetworkRendering

FIRST = "198.18.0.1"
BASICS = {
    "ipAddress",
    "webServerSecret",
    "region",
    "capabilities",
    "providerID",
    "sshPort",
    "sshUsername",
    "sshPassword",
    "sshHostKey",
    "sshObfuscatedPort",
    "sshObfuscatedKey",
    "signature",
}


def entry(view: View, server: Server) -> ServerEntry:
    return ServerEntry.decode(NetworkRendering(view).entries.encoded(server))


def test_clients_read_the_entry_and_trust_it(book: Book) -> None:
    with book.view() as view:
        server, signer = view.server(FIRST), entry_signer(view)
        assert signer is not None
        read = entry(view, server)
        verify_entry(read.fields, signer.public)
        secrets = view.secrets(server)
        assert (read.ssh_username, read.ssh_password) == (secrets["ssh_username"], secrets["ssh_password"])
        assert read.ssh_obfuscated_key == secrets["obfuscation_key"]
        assert read.provider_id == server.host.provider.published_id
        assert read.region == server.host.region == "DE"
        assert (read.ssh_port, read.ssh_obfuscated_port) == (server.ssh_port, server.ossh_ports[-1])


def test_the_tag_is_derived_and_the_one_that_the_network_knows(book: Book) -> None:
    with book.view() as view:
        server = view.server(FIRST)
        read = entry(view, server)
        assert "tag" not in read.fields
        assert derived_tag(read.fields) == read.effective_tag == server.tag


def test_what_a_server_does_not_have_is_left_out(book: Book) -> None:
    with book.view() as view:
        assert entry(view, view.server(FIRST)).fields.keys() == BASICS
    with book.change("ann", "test") as change:
        server = change.server(FIRST)
        for name, port in COLUMNS.items():
            setattr(server, name, port)  # for what it does not do
    with book.view() as view:
        assert entry(view, view.server(FIRST)).fields.keys() == BASICS | {"configurationVersion"}


def test_everything_that_it_does_can_be_done_with_the_entry(book: Book) -> None:
    with book.change("ann", "test") as change:
        with_everything(change, change.server(FIRST))
    with book.view() as view:
        server = view.server(FIRST)
        read, host_secrets = entry(view, server), view.secrets(server.host)
        for name in ("SSH", "OSSH", "TLS-OSSH", "QUIC-OSSH", "SHADOWSOCKS-OSSH", "FRONTED-MEEK-OSSH"):
            assert read.supports(name), name
        ports = {
            "TLS-OSSH": 441,
            "QUIC-OSSH": 442,
            "SHADOWSOCKS-OSSH": 444,
            "TAPDANCE-OSSH": 445,
            "CONJURE-OSSH": 446,
        }
        assert {name: read.dial_port(name) for name in ports} == ports
        assert (read.inproxy_ssh_port, read.inproxy_ossh_port, read.inproxy_quic_port) == (447, 448, 449)
        assert read.meek_server_port == 450
        assert read.meek_cookie_encryption_public_key == server.host.meek_cookie_public_key
        assert read.meek_obfuscated_key == host_secrets["meek_obfuscation_key"]
        assert read.tactics_request_public_key == server.host.tactics_request_public_key
        assert read.tactics_request_obfuscated_key == host_secrets["tactics_request_obfuscation_key"]
        assert read.inproxy_session_public_key == server.host.inproxy_session_public_key
        assert (read.meek_fronting_domain, read.meek_fronting_host) == ("cdn.example", "front.example")
        assert read.meek_fronting_addresses_regex == r"[a-z]{4}\.cdn\.example"
        assert read.meek_fronting_disable_sni and read.limit_quic_versions == ["QUICv1"]
        assert read.fronting_provider_id == "00112233AABBCCDD"
        private = {name: value for name, value in host_secrets.items() if "private" in name}
        assert len(private) == 3
        assert not set(private.values()) & set(map(str, read.fields.values()))


def test_of_many_alternates_three_are_told_always_the_same(book: Book) -> None:
    with book.change("ann", "test") as change:
        with_everything(change, change.server(FIRST))
    with book.view() as view:
        first = entry_record(view, view.server(FIRST))
    with book.change("ann", "test") as change:
        host = change.server(FIRST).host
        host.fronting_hosts = list(reversed(host.fronting_hosts))
    with book.view() as view:
        second = entry_record(view, view.server(FIRST))
    for name in ("meekFrontingHosts", "meekFrontingAddresses"):
        told = getattr(first, name)
        assert len(set(told)) == 3 and told == getattr(second, name)
    with book.change("ann", "test") as change:
        host = change.server(FIRST).host
        host.fronting_hosts = [*host.fronting_hosts, "one-more.example"]
    with book.view() as view:
        third = entry_record(view, view.server(FIRST))
    assert len(set(third.meekFrontingHosts) & set(first.meekFrontingHosts)) >= 2


def test_another_server_has_other_alternates(book: Book) -> None:
    with book.change("ann", "test") as change:
        with_everything(change, change.server(FIRST))
        told = set()
        for address in (FIRST, "198.18.0.2", "198.18.0.3", "198.18.0.4"):
            server = change.server(address)
            server.host_id = change.server(FIRST).host_id
            server.capabilities = ["SSH", "FRONTED-MEEK"]
            change.session.flush()
            change.session.refresh(server)
            told.add(tuple(entry_record(change, server).meekFrontingHosts))
        assert len(told) > 1


def test_a_changed_server_has_a_higher_version(book: Book) -> None:
    with book.view() as view:
        assert entry(view, view.server(FIRST)).configuration_version == 0
    with book.change("ann", "test") as change:
        change.server(FIRST).ssh_port = 22
    with book.view() as view:
        read = entry(view, view.server(FIRST))
        assert (read.configuration_version, read.ssh_port) == (1, 22)


@pytest.mark.parametrize("secret", ["web_secret", "ssh_username", "ssh_password"])
def test_no_entry_is_made_without_what_a_client_logs_in_by(book: Book, secret: str) -> None:
    with book.change("ann", "test", dry_run=True) as change:
        server = change.server(FIRST)
        server.capabilities = []
        change.set_secrets(server, {secret: None})
        with pytest.raises(OperatorError, match=f"has no {secret.replace('_', ' ')}"):
            entry_record(change, server)


def test_no_entry_is_made_without_an_address(book: Book) -> None:
    with book.change("ann", "test", dry_run=True) as change:
        server = change.server(FIRST)
        server.status, server.address = "new", ""
        with pytest.raises(OperatorError, match="has no address"):
            entry_record(change, server)
