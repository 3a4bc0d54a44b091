"""The payload: which server entries go into which lists, as the operator's tools write it (spec §4.5).

[{"ServerEntry": <encoded entry>, "OSLIDs": [<hexadecimal ID of a list>, …]}, …]
"""

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.config_reader import explain

__all__ = ["read_payload"]


class _Item(msgspec.Struct, frozen=True, rename="pascal"):
    server_entry: str
    osl_ids: list[str] = msgspec.field(name="OSLIDs")


def read_payload(data: bytes, file: str = "payload") -> dict[str, list[str]]:
    """Return list ID, in lower case, to encoded entries, as `pave` takes them. Raises DocumentError."""
    try:
        items = msgspec.json.decode(data, type=list[_Item])
    except msgspec.ValidationError as error:
        raise DocumentError(f"{file}: {explain(error)}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file}: not JSON: {error}") from error
    lists: dict[str, list[str]] = {}
    for item in items:
        for osl_id in item.osl_ids:
            lists.setdefault(osl_id.lower(), []).append(item.server_entry)
    return lists
