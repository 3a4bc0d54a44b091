"""Servers meant by a command."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.unit.network.networks import network_key

from headrace.cli.network.selecting import chosen
from headrace.network.book import Book, NotKnown, View


@pytest.fixture
def view(built: Path) -> Iterator[View]:
    with Book.open(str(built), network_key()) as book, book.view() as view:
        yield view


def test_a_server_that_is_named_twice_is_meant_once(view: View) -> None:
    name = view.server("198.18.0.1").pseudonym
    assert [each.address for each in chosen(view, ["198.18.0.2", name, "198.18.0.1"], None)] == [
        "198.18.0.2",
        "198.18.0.1",
    ]


def test_servers_are_selected_by_what_they_have_in_common(view: View) -> None:
    found = chosen(view, [], "region=FR,channel=channel-1")
    assert [each.address for each in found] == ["198.18.0.6"]


def test_one_way_of_saying_it_is_enough(view: View) -> None:
    for names, where in ((["198.18.0.1"], "all"), ([], None)):
        with pytest.raises(click.UsageError, match="--where"):
            chosen(view, names, where)
    with pytest.raises(NotKnown):
        chosen(view, ["nobody"], None)
