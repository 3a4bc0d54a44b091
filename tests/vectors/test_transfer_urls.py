"""Lists of transfer URLs: which are valid, and what may be chosen when."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.transfer_urls import TransferURLs

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("transfer_urls.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_list(case: dict[str, Any]) -> None:
    if not case["valid"]:
        with pytest.raises(DocumentError):
            TransferURLs.from_fields(case["transferURLs"])
        return
    urls = TransferURLs.from_fields(case["transferURLs"])
    assert urls.canonical_url == case["canonicalURL"]
    rng = SeededRng(1)
    for attempt, expected in case["candidatesByAttempt"].items():
        assert sorted(item.url for item in urls.eligible(int(attempt))) == expected
        assert sorted({urls.select(int(attempt), rng).url for _ in range(100)}) == expected
