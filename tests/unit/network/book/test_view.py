"""Things are found by what people call them, and a view stays what it was."""

import pytest
from tests.unit.network.book.small_network import PSEUDONYM, a_server

from headrace.network.book import Book, NotKnown
from headrace.network.model import NetworkSettings, Server


def test_a_server_is_found_by_pseudonym_tag_and_address(book: Book) -> None:
    with book.view() as view:
        server = view.server(PSEUDONYM)
        for name in (PSEUDONYM, PSEUDONYM.replace(" ", "-"), PSEUDONYM.upper(), server.tag, "192.0.2.1"):
            assert view.server(name) is server


def test_a_channel_is_found_by_name_and_public_id(book: Book) -> None:
    with book.view() as view:
        channel = view.channel("Testing")
        assert view.channel(channel.public_id) is channel
        assert view.channel(channel.public_id.lower()) is channel


def test_what_is_not_there_is_said_with_what_is_near(book: Book) -> None:
    with book.view() as view:
        with pytest.raises(NotKnown, match=r"no channel 'Tesing'; did you mean Testing\?"):
            view.channel("Tesing")
        with pytest.raises(NotKnown, match="no sponsor 'x', and no other; add one first"):
            view.sponsor("x")
        with pytest.raises(NotKnown, match="no server"):
            view.server("192.0.2.77")


def test_an_address_that_two_have_names_neither(book: Book) -> None:
    with book.change("ann", "test") as change:
        a_server(change, change.host("h1"), "gla ho trist", "192.0.2.1")
    with book.view() as view, pytest.raises(NotKnown):
        view.server("192.0.2.1")


def test_a_view_does_not_see_what_is_changed_while_it_is_open(book: Book) -> None:
    with book.view() as view:
        assert view.server(PSEUDONYM).ssh_port == 22
        with book.change("ann", "test") as change:
            change.server(PSEUDONYM).ssh_port = 2222
            a_server(change, change.host("h1"), "gla ho trist", "192.0.2.5")
        view.session.expire_all()
        assert view.server(PSEUDONYM).ssh_port == 22
        assert len(view.all(Server)) == 1


def test_secrets_read_at_once_are_those_read_one_by_one(book: Book) -> None:
    with book.change("ann", "test") as change:
        a_server(change, change.host("h1"), "gla ho trist", "192.0.2.5")
    with book.view() as one, book.view() as many:
        servers = many.servers()
        many.load_secrets([*servers, *(server.host for server in servers)])
        for server in servers:
            assert many.secrets(server) == one.secrets(one.server(server.pseudonym))
            assert many.secrets(server.host) == {}


def test_settings_are_one_row(book: Book) -> None:
    with book.view() as view:
        assert view.settings.network_name == "test"
        assert len(view.all(NetworkSettings)) == 1
