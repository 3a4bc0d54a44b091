"""`headrace network setting …`: what holds for the network as a whole."""

import click

from headrace.base.errors import OperatorError
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import facts_of
from headrace.cli.network.fields import read_text
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_facts

__all__ = ["setting"]


@click.group()
def setting() -> None:
    """What holds for the whole network: where it publishes to, samples, rules of servers and clients.

    \b
    headrace network setting show
    headrace network setting set public_store s3://bucket?endpoint=https://storage.example
    """


@setting.command()
@with_place
@click.argument("name", required=False)
@json_option
def show(place: Place, name: str | None, as_json: bool) -> None:
    """Show all settings, or one. Of secrets, only which are set.

    \b
    headrace network setting show
    headrace network setting show list_sample
    """
    with place.book() as book, book.view() as view:
        facts = facts_of(view, view.settings)
    if name is not None:
        if name not in facts:
            raise OperatorError(f"there is no setting {name!r} to be shown; there are: {', '.join(facts)}")
        facts = {name: facts[name]}
    show_facts(facts, as_json)


@setting.command("set")
@click.argument("name")
@click.argument("value", required=False)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Take the value from it; - is standard input.",
)
@revision_option
@changes
def set_value(
    changing: Changing, name: str, value: str | None, file: str | None, revision: int | None
) -> None:
    """Set one setting: a number, yes or no, words with commas between, or JSON where it has a structure.

    An empty value takes a list, a table or a secret away. Give secrets by --file: what is on a command line
    is seen by others.

    \b
    headrace network setting set list_sample 200
    headrace network setting set public_urls https://storage.example/bucket,https://other.example/
    headrace network setting set traffic_rules --file traffic-rules.json
    headrace network setting set store_secret_key --file - < key
    """
    from headrace.network.lifecycle.settings import set_setting

    if (value is None) == (file is None):
        raise click.UsageError("give a value, or --file with it.")
    text = value if value is not None else read_text(file or "-")
    with changing.change() as change:
        if revision is not None:
            change.expect(change.settings, revision)
        set_setting(change, name, text)
