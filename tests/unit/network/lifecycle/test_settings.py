"""Settings are read from text as their columns want them, and refused where they would not work."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Integer, inspect
from tests.unit.network.networks import network_key

from headrace.base.errors import OperatorError
from headrace.network.book import Book
from headrace.network.lifecycle.settings import set_setting, setting_names
from headrace.network.model import NetworkSettings

RULES = [{"regex": r"news\.example", "replace": "news"}]
ALERTS = {"unsafe-traffic": ["https://help.example/unsafe?client_region=XX"]}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of a network with nothing in it but settings; what is refused leaves no trace in it."""
    place = tmp_path_factory.mktemp("network") / "network.db"
    with Book.create(str(place), network_key(), "new-network") as book:
        yield book


def setting_after(book: Book, name: str, text: str) -> Any:
    with book.change("ann", "test") as change:
        set_setting(change, name, text)
    with book.view() as view:
        return getattr(view.settings, name)


def refused(book: Book, name: str, text: str) -> str:
    with book.view() as view:
        before = getattr(view.settings, name, None)
    with pytest.raises(OperatorError) as found, book.change("ann", "test") as change:
        set_setting(change, name, text)
    with book.view() as view:
        assert getattr(view.settings, name, None) == before
    return str(found.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("list_sample", "200", 200),
        ("list_sample", " 0 ", 0),
        ("discovery_horizon_hours", "8760", 8760),
        ("responder_address", "get@mail.example", "get@mail.example"),
        ("responder_address", "", ""),
        ("blocklist", "a.example,x,y\n192.0.2.1,y,z\n", "a.example,x,y\n192.0.2.1,y,z\n"),
        ("ossh_ports", "80, 443", [80, 443]),
        ("ossh_ports", "[80, 443]", [80, 443]),
        ("ossh_ports", "", []),
        ("ssh_allow_list", "192.0.2.0/24,2001:db8::1", ["192.0.2.0/24", "2001:db8::1"]),
        ("egress_rules", "10,20", ["10", "20"]),
        (
            "public_urls",
            "https://one.example/,http://two.example/",
            ["https://one.example/", "http://two.example/"],
        ),
        (
            "traffic_rules",
            '{"DefaultRules": {"MaxTCPPortForwardCount": 1}}',
            {"DefaultRules": {"MaxTCPPortForwardCount": 1}},
        ),
        ("tactics", '{"DefaultTactics": {"TTL": "1m"}}', {"DefaultTactics": {"TTL": "1m"}}),
        ("server_settings", '{"workers": 2, "Another": 1}', {"workers": 2, "Another": 1}),
        ("server_settings", "", {}),
        ("traffic_rules", " ", {}),
        ("https_request_rules", json.dumps(RULES), RULES),
        ("default_alert_action_urls", json.dumps(ALERTS), ALERTS),
    ],
)
def test_a_setting_is_read_as_its_column_wants_it(book: Book, name: str, text: str, value: Any) -> None:
    assert setting_after(book, name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("list_sample", "many", "is a number, not 'many'"),
        ("list_sample", "-1", "from 0 to 100000"),
        ("list_sample", "9" * 30, "from 0 to 100000"),
        ("list_sample", "9" * 5000, "is a number"),
        ("discovery_horizon_hours", "0", "from 1 to 8760"),
        ("discovery_pools", "0", "from 1 to 1000"),
        ("retired_address_days", "999999999999", "from 0 to 36500"),
        ("responder_address", "a@mail.example\nBcc: b@mail.example", "is one line"),
        ("ossh_ports", "ssh,443", "a list of another kind"),
        ("ossh_ports", "²", "a list of another kind"),
        ("ossh_ports", '["443x"]', "a list of another kind"),
        ("ossh_ports", "0", "is not a port"),
        ("ossh_ports", "65536", "is not a port"),
        ("ssh_allow_list", "everybody", "neither an address nor a network"),
        ("public_urls", "[1]", "a list of another kind"),
        ("public_urls", "storage.example", "by which users could reach"),
        ("tactics", "[]", "a table of another kind"),
        ("tactics", "words", "is not JSON"),
        ("tactics", "{", "is not JSON"),
        ("tactics", '{"a": NaN}', "is not JSON"),
        ("tactics", '{"a": "\ud800"}', "is not JSON"),
        ("tactics", '{"a":' * 100_000, "nested too deeply"),
        ("https_request_rules", "words", "a list of another kind"),
        ("https_request_rules", '[{"regex": "(", "replace": "x"}]', "is not a regular expression"),
        ("https_request_rules", '[{"regex": "x"}]', "a rule is"),
        ("https_request_rules", '[{"regex": 1, "replace": "x"}]', "a rule is"),
        ("https_request_rules", '[{"regex": "a", "replace": "x", "extra": 1}]', "a rule is"),
        ("default_alert_action_urls", '{"reason": "https://help.example/"}', "alerts are"),
        ("default_alert_action_urls", '{"": []}', "alerts are"),
        ("default_alert_action_urls", '{"reason": [1]}', "alerts are"),
        ("default_alert_action_urls", '{"reason": ["help"]}', "is not the URL of a page"),
        ("traffic_rules", '{"DefaultRules": {"RateLimits": 1}}', "DefaultRules.RateLimits: expected an obj"),
        ("tactics", '{"DefaultTactics": {"Probability": "often"}}', "DefaultTactics.Probability: expected"),
        ("blocklist", "a.example,x,y\nb.example,y\n", "line 2: write three fields"),
        ("server_settings", '{"workers": "two"}', "Workers: expected a whole number"),
        ("server_settings", '{"Workers": -2}', "Workers: -2 is below zero"),
        ("server_settings", '{"LogLevel": "loud"}', "LogLevel: loud is none of"),
        ("osl_schemes", "[1]", "a list of another kind"),
        ("osl_schemes", "[{}]", "MasterKey"),
        ("public_store", "nowhere:x", "begin with 'nowhere:'"),
        ("host_store", "x", "no way to hosts"),
    ],
)
def test_what_would_not_work_is_refused_and_changes_nothing(
    book: Book, name: str, text: str, complaint: str
) -> None:
    assert complaint in refused(book, name, text)


@pytest.mark.parametrize("name", ["no_such", "id", "revision", "production", "network_name", "sample_key"])
def test_what_is_no_setting_is_refused_with_what_there_is(book: Book, name: str) -> None:
    assert f"there is no setting '{name}'; there are: " in refused(book, name, "1")


def test_a_secret_is_kept_sealed_and_taken_away_by_nothing(book: Book) -> None:
    with book.change("ann", "test") as change:
        set_setting(change, "store_access_key", "a key to the store")
    with book.view() as view:
        assert view.secrets(view.settings)["store_access_key"] == "a key to the store"
    with book.change("ann", "test") as change:
        set_setting(change, "store_access_key", "")
    with book.view() as view:
        assert "store_access_key" not in view.secrets(view.settings)


def test_a_refusal_does_not_repeat_a_secret_kept_with_the_settings(book: Book) -> None:
    with book.change("ann", "test") as change:
        set_setting(change, "store_secret_key", "hunter-two-hunter")
    assert "hunter-two" not in refused(book, "store_secret", "1")


def test_a_store_in_a_directory_is_taken(book: Book, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/public"
    assert setting_after(book, "public_store", url) == url


@pytest.mark.parametrize(
    "name",
    [name for name, column in inspect(NetworkSettings).columns.items() if isinstance(column.type, Integer)],
)
def test_every_number_has_limits(book: Book, name: str) -> None:
    if name in set(setting_names()):
        assert "is a number from" in refused(book, name, "-1")


def test_all_settings_have_names_of_columns_or_secrets() -> None:
    names = list(setting_names())
    assert len(set(names)) == len(names)
    assert {"list_sample", "osl_schemes", "store_secret_key"} <= set(names)
