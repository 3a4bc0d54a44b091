"""Server entries for people: what a table shows of one, and all of its fields with the secrets left out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from rich.table import Table
from rich.text import Text

from headrace.base.errors import DocumentError
from headrace.cli.entry_lines import check
from headrace.cli.words import printable
from headrace.crypto.signing import VerifyingKey
from headrace.documents.capabilities import TUNNEL_PROTOCOLS, capability_name, has_capability
from headrace.documents.entry_fields import configuration_version, diagnostic_id, entry_tag
from headrace.documents.entry_signature import verify_entry
from headrace.documents.server_entry import ServerEntry

__all__ = ["Summary", "details", "summarize", "table"]

#: A field is secret when its name has one of these in it, in any case, ...
_SECRET = ("secret", "password", "key")
#: ... unless it has one of these.
_PUBLIC = ("publickey", "hostkey")
#: Columns that are of no use when they are broken.
_WHOLE = ("tag", "address", "protocols")


@dataclass(slots=True)
class Summary:
    """What is worth knowing of an entry at a glance."""

    where: str
    tag: str
    address: str
    region: str = ""
    protocols: dict[str, int] = field(default_factory=dict)  # with the port to dial
    capabilities: list[str] = field(default_factory=list)  # those that announce no tunnel protocol
    version: int = 0
    source: str = ""
    signature: str = ""
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the same for programs, under the names that the entry has for it."""
        return {
            "line": self.where,
            "tag": self.tag,
            "ipAddress": self.address,
            "region": self.region,
            "protocols": self.protocols,
            "otherCapabilities": self.capabilities,
            "configurationVersion": self.version,
            "localSource": self.source,
            "signature": self.signature,
            "problems": self.problems,
        }


def summarize(fields: dict[str, object], where: str, key: VerifyingKey | None = None) -> Summary:
    """Return the summary of an entry; with a key, its signature is checked too."""
    summary = Summary(where, entry_tag(fields), str(fields.get("ipAddress", "")))
    summary.version = configuration_version(fields)
    summary.source = str(fields.get("localSource", ""))
    summary.signature = _signature(fields, key)
    try:
        check(fields)
        _look_closer(summary, ServerEntry.from_fields(fields))
    except DocumentError as error:
        summary.problems.append(str(error))
    return summary


def _look_closer(summary: Summary, entry: ServerEntry) -> None:
    summary.region = entry.region
    summary.protocols = {name: entry.dial_port(name) for name in TUNNEL_PROTOCOLS if entry.supports(name)}
    announced = [capability_name(name) for name in summary.protocols]
    summary.capabilities = [
        capability
        for capability in entry.capabilities
        if not any(has_capability([capability], required) for required in announced)
    ]
    summary.problems += [f"no port for {name}" for name, port in summary.protocols.items() if not port]
    if not summary.protocols:
        summary.problems.append("no capability of a tunnel protocol")


def _signature(fields: dict[str, object], key: VerifyingKey | None) -> str:
    if not fields.get("signature"):
        return "none"
    if key is None:
        return "not checked"
    try:
        verify_entry(fields, key)
    except DocumentError as error:
        return str(error).removeprefix("server entry ")
    return "good"


def table(summaries: list[Summary]) -> Table:
    """Return the summaries side by side; a column in which all are empty is left out."""
    rows = {
        "tag": [diagnostic_id(summary.tag) for summary in summaries],
        "address": [summary.address for summary in summaries],
        "region": [summary.region for summary in summaries],
        "protocols": [
            "\n".join(f"{name} {port}" for name, port in summary.protocols.items()) for summary in summaries
        ],
        "other capabilities": ["\n".join(summary.capabilities) for summary in summaries],
        "version": [str(summary.version) for summary in summaries],
        "source": [summary.source for summary in summaries],
        "signature": [summary.signature for summary in summaries],
        "problems": ["\n".join(summary.problems) for summary in summaries],
    }
    used = {name: cells for name, cells in rows.items() if any(cells)}
    result = Table(box=None, header_style="bold", pad_edge=False)
    for name in used:
        justify: Literal["left", "right"] = "right" if name == "version" else "left"
        result.add_column(name, justify=justify, overflow="fold", no_wrap=name in _WHOLE)
    for cells in zip(*used.values(), strict=True):
        result.add_row(*map(_text, cells))
    return result


def details(fields: dict[str, object], *, secrets: bool) -> Table:
    """Return all fields of an entry, the secret ones hidden unless `secrets`."""
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in sorted(fields.items()):
        for label, text in _shown(name, value, secrets):
            result.add_row(_text(label), _text(text))
    return result


def _shown(name: str, value: object, secrets: bool) -> Iterator[tuple[str, str]]:
    if not secrets and value and _is_secret(name):
        yield name, "hidden"
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _is_secret(name: str) -> bool:
    folded = name.lower()
    return any(part in folded for part in _SECRET) and not any(part in folded for part in _PUBLIC)


def _text(text: str) -> Text:
    return Text(printable(text))
