"""JSON objects one after the other, as programs print them: pretty or one a line, or in a list."""

import json
import re
from collections.abc import Iterator

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.json_canonical import decode_json

__all__ = ["json_objects"]

_SPACE = re.compile(r"\s*")
#: Finds where a value ends. Numbers are looked at later: `int` refuses very long ones in its own way.
_finder = json.JSONDecoder(parse_int=float)


def json_objects(data: bytes, name: str) -> Iterator[dict[str, object]]:
    """Yield the objects in `data`, read from `name`. Raises OperatorError."""
    text = data.decode("utf-8", "replace")
    at = _SPACE.match(text).end()  # type: ignore[union-attr]
    if at == len(text):
        raise OperatorError(f"{name} holds no JSON object; is it the right file?")
    while at < len(text):
        try:
            _, end = _finder.raw_decode(text, at)
            value = decode_json(text[at:end].encode("utf-8", "replace"))
        except json.JSONDecodeError as error:
            raise OperatorError(
                f"{name} is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
            ) from error
        except (DocumentError, RecursionError) as error:
            raise OperatorError(f"{name} is not JSON that can be read: {error}") from error
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                raise OperatorError(f"{name} holds JSON that is no object; write {{ … }} for each entry")
            yield item
        at = _SPACE.match(text, end).end()  # type: ignore[union-attr]
