"""What sponsors show is checked before it is taken."""

import struct

import pytest

from headrace.base.errors import OperatorError
from headrace.network.lifecycle.pages import (
    check_banner,
    check_region,
    check_rule,
    check_url,
    with_page,
    without_page,
)
from headrace.network.model import EVERYWHERE

PAGE = "https://news.example/"


def png(width: int = 100, height: int = 40, padding: int = 0) -> bytes:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    return header + b"\x08\x02\x00\x00\x00" + bytes(4 + padding) + bytes(4) + b"IEND\xaeB`\x82"


@pytest.mark.parametrize(
    "url",
    [
        PAGE,
        "http://news.example:8080/a?b=c#d",
        "https://news.example/?client_region=XX&client_asn=XX&device_region=XX&client_platform=XX",
        "https://[2001:db8::1]/",
        "https://news.example/?q=PIXX",
    ],
)
def test_a_page_that_can_be_opened_is_taken(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "news.example",
        "ftp://news.example/",
        "javascript:alert(1)",
        "https://",
        "https:///page",
        "https://[2001:db8::1/",
        "https://news.example:99999/",
        "https://news.example:port/",
        "https://news.example:0/",
        "https://news.example/a b",
        "https://news.example/\n",
        "https://news.example/\u202e",
    ],
)
def test_what_no_client_can_open_is_refused(url: str) -> None:
    with pytest.raises(OperatorError, match="is not the URL of a page"):
        check_url(url)


def test_a_placeholder_that_nothing_fills_in_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"nothing is filled in for client_city=XX.*client_region=XX"):
        check_url("https://news.example/?client_region=XX&client_city=XX")


@pytest.mark.parametrize("region", ["DE", EVERYWHERE])
def test_a_region_is_a_country_or_everywhere_else(region: str) -> None:
    assert check_region(region) == region


@pytest.mark.parametrize("region", ["", "de", "DEU", "none", "D1", "DE\n"])
def test_other_regions_are_refused(region: str) -> None:
    with pytest.raises(OperatorError, match="is not a region"):
        check_region(region)


def test_pages_are_added_once_each_and_what_was_there_stays_as_it_was() -> None:
    before = {"DE": [PAGE], EVERYWHERE: ["https://all.example/"]}
    after = with_page(before, "DE", "https://more.example/")
    assert after == {"DE": [PAGE, "https://more.example/"], EVERYWHERE: ["https://all.example/"]}
    assert with_page(after, "DE", PAGE) == after
    assert before["DE"] == [PAGE]
    assert with_page({}, "FR", PAGE) == {"FR": [PAGE]}


def test_a_page_that_is_no_good_is_not_added() -> None:
    for region, url in (("Germany", PAGE), ("DE", "nowhere")):
        with pytest.raises(OperatorError):
            with_page({}, region, url)


def test_pages_are_taken_away_one_by_one_or_all_of_a_region() -> None:
    pages = {"DE": [PAGE, "https://more.example/"], "FR": [PAGE]}
    assert without_page(pages, "DE", PAGE) == {"DE": ["https://more.example/"], "FR": [PAGE]}
    assert without_page(pages, "DE") == {"FR": [PAGE]}
    assert without_page(pages, "FR", PAGE) == {"DE": pages["DE"]}


@pytest.mark.parametrize(("region", "url"), [("SE", None), ("DE", "https://other.example/")])
def test_a_page_that_is_not_there_cannot_be_taken_away(region: str, url: str | None) -> None:
    with pytest.raises(OperatorError, match=f"there is no such page for {region}"):
        without_page({"DE": [PAGE]}, region, url)


def test_a_rule_is_a_regular_expression_and_a_label() -> None:
    assert check_rule(r"news\.example", "news") == {"regex": r"news\.example", "replace": "news"}


@pytest.mark.parametrize(
    ("regex", "replace", "complaint"),
    [("(", "news", "is not a regular expression"), ("news", "", "needs the label")],
)
def test_other_rules_are_refused(regex: str, replace: str, complaint: str) -> None:
    with pytest.raises(OperatorError, match=complaint):
        check_rule(regex, replace)


@pytest.mark.parametrize("size", [(1, 1), (4096, 4096)])
def test_a_banner_is_a_png_of_a_sensible_size(size: tuple[int, int]) -> None:
    assert check_banner(png(*size)) == png(*size)


@pytest.mark.parametrize("size", [(0, 40), (40, 0), (4097, 40), (40, 4097)])
def test_a_banner_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(OperatorError, match="too large"):
        check_banner(png(*size))


def test_a_banner_that_weighs_too_much_is_refused() -> None:
    with pytest.raises(OperatorError, match="too large"):
        check_banner(png(padding=1 << 20))


@pytest.mark.parametrize("length", range(len(png())))
def test_part_of_a_banner_is_refused(length: int) -> None:
    with pytest.raises(OperatorError, match="a whole PNG"):
        check_banner(png()[:length])


def test_another_image_is_refused() -> None:
    with pytest.raises(OperatorError, match="a whole PNG"):
        check_banner(b"\xff\xd8\xff\xe0" + png()[4:])
