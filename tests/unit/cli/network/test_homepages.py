"""Pages of sponsors from the command line, and which of them clients would get."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def got(*options: object) -> list[str]:
    return [row["url"] for row in ask("homepage", "test", "sponsor-0", *options)]


def test_a_client_gets_the_pages_of_its_region_with_everything_filled_in() -> None:
    pages = ("https://a.example/?device_region=XX", "https://b.example/?client_platform=XX")
    ask("homepage", "set", "sponsor-0", "--region", "IR", *pages)
    assert got("--region", "ir", "--device-region", "AF", "--platform", "android") == [
        "https://a.example/?device_region=AF",
        "https://b.example/?client_platform=android",
    ]
    assert got("--region", "DE") == ["https://home-0.example/?client_region=DE"]


def test_pages_for_phones_are_for_these_only() -> None:
    ask("homepage", "set", "sponsor-0", "--mobile", "https://m.example/")
    assert got("--platform", "iOS") == ["https://m.example/"]
    assert got("--platform", "Windows") == ["https://home-0.example/?client_region=None"]


def test_a_sponsor_that_borrows_shows_the_other_ones_pages() -> None:
    ask("sponsor", "add", "partner", "--borrow-from", "sponsor-0", "--home-page", "https://own.example/")
    assert ask("homepage", "test", "partner", "--region", "DE") == [
        {"url": "https://home-0.example/?client_region=DE"}
    ]


def test_pages_are_replaced_unless_they_are_to_be_kept() -> None:
    ask("homepage", "set", "sponsor-0", "https://a.example/")
    ask("homepage", "set", "sponsor-0", "https://b.example/")
    assert got() == ["https://b.example/"]
    ask("homepage", "set", "sponsor-0", "--add", "https://c.example/")
    assert got() == ["https://b.example/", "https://c.example/"]
    assert network_command("homepage", "set", "sponsor-0", "--add", "https://c.example/").code == 3


def test_one_page_or_a_whole_region_is_taken_away() -> None:
    ask("homepage", "set", "sponsor-0", "--region", "IR", "https://a.example/", "https://b.example/")
    ask("homepage", "unset", "sponsor-0", "--region", "IR", "https://a.example/")
    assert got("--region", "IR") == ["https://b.example/"]
    ask("homepage", "unset", "sponsor-0", "--region", "IR")
    assert got("--region", "IR") == ["https://home-0.example/?client_region=IR"]
    ask("homepage", "unset", "sponsor-0")
    assert network_command("homepage", "test", "sponsor-0").out == "it would get no page\n"


@pytest.mark.parametrize("arguments", [("--region", "IRN", "https://a.example/"), ("not a URL",)])
def test_regions_and_urls_have_to_be_some(arguments: tuple[str, ...]) -> None:
    assert network_command("homepage", "set", "sponsor-0", *arguments).code == 2
