"""The declarations of notices as a JSON schema, and a check of every notice that the tests emit."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from headrace.client.notice_types import NOTICE_TYPES, Field
from headrace.documents.json_canonical import encode_canonical

__all__ = ["DIALECT", "check_notice", "notice_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"


def notice_schema(name: str, *, strict: bool = False) -> dict[str, Any]:
    """Return the schema of a type of notice, as a whole line; with `strict` without fields of other names."""
    kind = NOTICE_TYPES[name]
    data: dict[str, Any] = {
        "type": "object",
        "properties": {field: _field_schema(declared) for field, declared in kind.fields.items()},
        "required": [field for field, declared in kind.fields.items() if declared.always],
    }
    if strict:
        data["additionalProperties"] = False
    return {
        "description": kind.says,
        "type": "object",
        "properties": {
            "data": data,
            "noticeType": {"const": name},
            "timestamp": {"type": "string", "pattern": _TIMESTAMP},
        },
        "required": ["data", "noticeType", "timestamp"],
        "additionalProperties": False,
    }


def _field_schema(field: Field) -> dict[str, Any]:
    schema = dict(field.schema)
    return schema | {"description": field.says} if field.says else schema


def check_notice(name: str, data: Mapping[str, object]) -> None:
    """Raise AssertionError unless `data`, once it is JSON, is what a notice of this type has."""
    from jsonschema import ValidationError

    if name not in NOTICE_TYPES:
        return  # emitting it raises an error of its own
    try:
        _validator(name).validate(json.loads(encode_canonical(dict(data))))
    except ValidationError as error:
        raise AssertionError(f"{name}, as it is declared: {error.message} in {dict(data)}") from None


@functools.cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(notice_schema(name, strict=True)["properties"]["data"])
