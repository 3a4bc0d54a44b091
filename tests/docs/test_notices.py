"""docs/notices.md and docs/notices.schema.json say what the declarations of notices say."""

import json

import jsonschema
import pytest
from tests.docs.notices import PAGE, SCHEMA, emitted, page, schema
from tests.notice_schema import DIALECT, check_notice, notice_schema

from headrace.client.notice_types import NOTICE_TYPES, Kind

AT = "2024-01-02T03:04:05.678Z"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_page_and_schema_are_up_to_date() -> None:
    assert (PAGE.read_text(), SCHEMA.read_text()) == (page(), schema()), "run python -m tests.docs.notices"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))
    assert json.loads(SCHEMA.read_text())["$schema"] == DIALECT


def test_what_is_emitted_is_declared() -> None:
    assert emitted() <= set(NOTICE_TYPES)


def test_fields_are_explained() -> None:
    for name, kind in NOTICE_TYPES.items():
        assert kind.says, name
        assert [field for field, declared in kind.fields.items() if not declared.says] == []


@pytest.mark.parametrize(
    "line",
    [
        '{"data":{"count":1},"noticeType":"Tunnels","timestamp":"2024-01-02T03:04:05.678Z"}',
        '{"data":{},"noticeType":"Exiting","timestamp":"2024-01-02T03:04:05.678Z"}',
        '{"data":{"timeout":"5m0s"},"noticeType":"EstablishTunnelTimeout","timestamp":"2024-01-02T03:04:05.678Z"}',
        '{"data":{"count":1,"later":true},"noticeType":"Tunnels","timestamp":"2024-01-02T03:04:05.678Z"}',
    ],
)
def test_lines_that_are_notices(line: str, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "notice",
    [
        {"data": {"count": -1}, "noticeType": "Tunnels", "timestamp": AT},
        {"data": {"count": "1"}, "noticeType": "Tunnels", "timestamp": AT},
        {"data": {}, "noticeType": "Tunnels", "timestamp": AT},
        {"data": {"count": 1}, "noticeType": "Tunnel", "timestamp": AT},
        {"data": {"count": 1}, "noticeType": "Tunnels", "timestamp": "2024-01-02T03:04:05Z"},
        {"data": {"count": 1}, "noticeType": "Tunnels"},
        {"data": {"timeout": "300"}, "noticeType": "EstablishTunnelTimeout", "timestamp": AT},
    ],
    ids=str,
)
def test_lines_that_are_none(notice: object, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(notice)


def test_the_check_of_the_tests_is_strict() -> None:
    check_notice("Tunnels", {"count": 1})
    check_notice("CandidateServers", {"count": 0, "region": ""})
    for data in ({"count": 1, "more": 1}, {}, {"count": True}):
        with pytest.raises(AssertionError, match="Tunnels, as it is declared"):
            check_notice("Tunnels", data)
    assert "additionalProperties" not in notice_schema("Tunnels")["properties"]["data"]


def test_what_is_told_of_an_attempt_names_no_address() -> None:
    shows = {name for name, kind in NOTICE_TYPES.items() if Kind.SHOWS_ADDRESS in kind.kind}
    assert shows == {"ClientAddress", "Untunneled"}
