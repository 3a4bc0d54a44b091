"""A server entry as a row: its JSON with every field it came with, and beside it what it is found by."""

from dataclasses import dataclass

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.config_reader import fold_name
from headrace.documents.entry_fields import Fields, configuration_version, derived_tag, validate_fields

__all__ = ["EntryRow", "make_row", "parse_fields"]

_VERSIONS = 2**31 - 1  # below this


@dataclass(frozen=True, slots=True)
class EntryRow:
    """The columns of `entry` without the id, in order, and whether the entry came with the program.

    `fields` is JSON.
    """

    address: str
    version: int
    region: str
    tag: str
    fields: bytes
    embedded: bool

    @property
    def columns(self) -> tuple[str, int, str, str, bytes]:
        """What goes into the table."""
        return self.address, self.version, self.region, self.tag, self.fields


def make_row(fields: Fields) -> EntryRow:
    """Return the row of an entry, with a derived tag if it has none. Raises DocumentError if invalid."""
    validate_fields(fields)
    version = configuration_version(fields)
    if version >= _VERSIONS:
        raise DocumentError(f"server entry configurationVersion {version} is out of range")
    tag = fields.get("tag")
    if not isinstance(tag, str) or not tag:
        tag = derived_tag(fields)
        fields = {**fields, "tag": tag, "isLocalDerivedTag": True}
    try:
        text = _encoder.encode(fields)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DocumentError("server entry has no JSON form") from error
    embedded = fields["localSource"] == "EMBEDDED"
    return EntryRow(str(fields["ipAddress"]), version, _region(fields), tag, text, embedded)


def parse_fields(address: str, text: bytes) -> dict[str, object] | None:
    """Return the fields in the row of an address; None when they were damaged."""
    try:
        fields = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return fields if fields.get("ipAddress") == address else None


def _region(fields: Fields) -> str:
    region = ""
    for name, value in fields.items():  # as dialling reads names: in any case, the last one counts
        if len(name) == len("region") and fold_name(name) == "region" and value is not None:
            region = value if isinstance(value, str) else ""
    return region


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, object])
