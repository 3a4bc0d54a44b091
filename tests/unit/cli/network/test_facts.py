"""What is known of one thing, without its secrets."""

from pathlib import Path

import pytest
from tests.unit.network.networks import network_key

from headrace.cli.network.facts import facts_of
from headrace.network.book import Book
from headrace.network.model import Campaign, Entity, Host, NetworkKey, NetworkSettings, Provider, Server


@pytest.mark.parametrize("kind", [Server, Host, Provider, Campaign, NetworkKey, NetworkSettings])
def test_facts_have_every_column_and_the_name_of_every_secret_but_none_itself(
    kind: type[Entity], built: Path
) -> None:
    with Book.open(str(built), network_key()) as book, book.view() as view:
        entity = view.all(kind)[0]
        facts, secrets = facts_of(view, entity), view.secrets(entity)
        columns = {name for name in entity.__table__.columns.keys() if name != "id"}
    assert {name.removesuffix("_id") for name in columns} <= {name.removesuffix("_id") for name in facts}
    assert facts["secrets"] == sorted(secrets)
    assert not any(secret in str(facts) for secret in secrets.values())


def test_what_is_referred_to_has_its_name_and_more_facts_come_first(built: Path) -> None:
    with Book.open(str(built), network_key()) as book, book.view() as view:
        facts = facts_of(view, view.server("198.18.0.1"), roles=["permanent"])
    assert next(iter(facts)) == "roles"
    assert (facts["host"], facts["channel"]) == ("machine-00000", "channel-0")
