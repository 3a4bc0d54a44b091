"""Encoded server entries, signed, each made once."""

import msgspec

from headrace.documents.entry_fields import encode_fields
from headrace.documents.entry_signature import sign_entry
from headrace.network.book import View
from headrace.network.exports.entry import entry_record
from headrace.network.model import Server
from headrace.network.signing.signer import EntrySigner, as_entry_key

__all__ = ["EntryRenderer"]


class EntryRenderer:
    """Makes entries as a view has them, signed by `signer` if there is one."""

    def __init__(self, view: View, signer: EntrySigner | None) -> None:
        self._view = view
        self._signer = signer
        self._signed_by = signer.key_id if signer is not None else ""
        self._encoded: dict[str, str] = {}

    def fields(self, server: Server) -> dict[str, object]:
        """Return the fields of an entry. Raises OperatorError, and NeedsOfflineSignature."""
        fields: dict[str, object] = msgspec.to_builtins(entry_record(self._view, server))
        return fields if self._signer is None else sign_entry(fields, as_entry_key(self._signer))

    def encoded(self, server: Server) -> str:
        """Return the entry as one line, without its end. Raises as `fields`."""
        line = self._encoded.get(server.tag)
        if line is None:
            line = self._encoded[server.tag] = encode_fields(self.fields(server))
        return line

    def version(self, server: Server) -> str:
        """Return a short text that is another whenever the entry is."""
        return f"{server.tag[:12]}.{server.configuration_version}.{self._signed_by[:8]}"
