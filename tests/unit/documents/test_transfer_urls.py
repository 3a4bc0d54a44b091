"""Lists of transfer URLs; validity and eligibility are in tests/vectors too."""

import base64
from collections import Counter

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.transfer_urls import TransferURL, TransferURLs

FRONTING = [{"FrontingProviderID": "ABCD", "Addresses": ["[a-z]{8}\\.example"], "Host": "front.example"}]


def item(url: str, after: int = 0, **fields: object) -> dict[str, object]:
    return {"URL": base64.b64encode(url.encode()).decode(), "OnlyAfterAttempts": after, **fields}


def chosen(urls: TransferURLs, attempt: int) -> Counter[str]:
    rng = SeededRng(1)
    return Counter(urls.select(attempt, rng).url for _ in range(300))


def test_all_fields() -> None:
    value = [
        {
            "url": item("https://a.example/ü")["URL"],
            "SKIPVERIFY": True,
            "OnlyAfterAttempts": None,
            "B64EncodedPublicKey": "AAAA",
            "RequestHeaders": {"X-Name": "value"},
            "FrontingSpecs": FRONTING,
            "Comment": "unknown fields do no harm",
        }
    ]
    (only,) = TransferURLs.from_fields(value)
    assert only.url == "https://a.example/ü"
    assert only.skip_verify
    assert only.only_after_attempts == 0
    assert only.public_key == "AAAA"
    assert only.request_headers == {"X-Name": "value"}
    assert only.fronting_specs == FRONTING


def test_a_plain_url() -> None:
    urls = TransferURLs.single("https://a.example/list")
    assert len(urls) == 1
    assert urls.canonical_url == urls.select(0, SeededRng(1)).url == "https://a.example/list"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("text", "^Lists: expected a list, got text: put it in square brackets$"),
        ({}, "^Lists: expected a list, got an object$"),
        ([5], r"^Lists: \[0\]: expected an object"),
        ([item("a", "1")], r"^Lists: \[0\].OnlyAfterAttempts: expected a whole number"),  # type: ignore[arg-type]
        ([item("a", RequestHeaders={"a": 1})], "RequestHeaders"),
        ([item("a", FrontingSpecs=["a"])], "FrontingSpecs"),
        ([], "^Lists: no URL may be used at once"),
        ([item("a", 1), item("b", -1)], "^Lists: no URL may be used at once"),
        ([item("a"), {"URL": "https://secret"}], r"^Lists\[1\]: URL is not a text in base64$"),
        ([item("a"), {"URL": "/w=="}], r"^Lists\[1\]: URL is not a text in base64$"),
        ([item("a"), {"URL": "é"}], r"^Lists\[1\]: URL is not a text in base64$"),
    ],
)
def test_errors_name_the_setting_and_keep_the_url(value: object, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason) as caught:
        TransferURLs.from_fields(value, "Lists")
    assert "secret" not in str(caught.value)


def test_every_eligible_url_has_its_share() -> None:
    urls = TransferURLs.from_fields([item("a"), item("b"), item("c", 1)])
    assert min(chosen(urls, 0).values()) > 120
    assert sorted(chosen(urls, 0)) == ["a", "b"]
    assert min(chosen(urls, 1).values()) > 70
    assert sorted(chosen(urls, 7)) == ["a", "b", "c"]


def test_fronted_urls_are_passed_over() -> None:
    fronted = item("fronted", FrontingSpecs=FRONTING)
    urls = TransferURLs.from_fields([fronted, item("direct", 1), item("late", 3), item("fronted too", 1)])
    assert urls.canonical_url == "fronted"
    assert [each.url for each in urls.eligible(0)] == ["fronted"]
    assert set(chosen(urls, 0)) == {"direct", "fronted too"}
    urls = TransferURLs.from_fields([fronted, item("direct", 1), item("late", 3)])
    assert set(chosen(urls, 0)) == set(chosen(urls, 2)) == {"direct"}
    assert set(chosen(urls, 3)) == {"direct", "late"}


def test_fronted_urls_alone_are_an_error_that_says_so() -> None:
    urls = TransferURLs.from_fields([item("fronted", FrontingSpecs=FRONTING)], "RemoteServerListURLs")
    with pytest.raises(DocumentError, match=r"^RemoteServerListURLs: every URL asks for domain fronting"):
        urls.select(0, SeededRng(1))


def test_items_made_by_hand() -> None:
    urls = TransferURLs([TransferURL(encoded_url="YQ==")])
    assert [each.url for each in urls] == ["a"]
