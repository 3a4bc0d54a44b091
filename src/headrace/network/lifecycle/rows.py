"""Entities as lines of JSON, and such lines read and checked, each by itself.

    {"kind": "server", "id": …, "revision": 3, "pseudonym": "dro fai mesk", "host": "h1", "channel": "web", …}

What a row refers to it has by name. A row without an id is one to be added; what such a row leaves out is
drawn, made, or as usual.
"""

import base64
import ipaddress
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import inspect

from headrace.base.errors import OperatorError
from headrace.network.lifecycle.brands import check_bucket
from headrace.network.lifecycle.creation import check_host_name
from headrace.network.lifecycle.pages import check_banner, check_region, check_rule, check_url
from headrace.network.model import (
    EVERYWHERE,
    SECRETS,
    Campaign,
    Entity,
    Host,
    PropagationChannel,
    Provider,
    Server,
    Sponsor,
    Status,
)
from headrace.network.strategy.roles import Role

__all__ = ["KINDS", "NAMES", "Row", "read_row", "row_of"]

#: What is exchanged, in an order in which nothing refers to what comes later but sponsors to sponsors.
KINDS: Final[Mapping[str, type[Entity]]] = MappingProxyType(
    {
        "channel": PropagationChannel,
        "sponsor": Sponsor,
        "campaign": Campaign,
        "provider": Provider,
        "host": Host,
        "server": Server,
    }
)
#: The column that has the name of each.
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {kind: {"campaign": "bucket_id", "server": "pseudonym"}.get(kind, "name") for kind in KINDS}
)
_NEVER_EMPTY: Final = frozenset({*NAMES.values(), "status"})
#: Columns that refer to others, and to which.
_REFERENCES: Final = {
    "use_data_from_id": "sponsor",
    "sponsor_id": "sponsor",
    "provider_id": "provider",
    "host_id": "host",
    "channel_id": "channel",
}
#: What follows from other columns.
_DERIVED: Final = frozenset({"id", "revision", "tag", "configuration_version"})
_PUBLIC_ID: Final = re.compile(r"[0-9A-F]{16}")
_PSEUDONYM: Final = re.compile(r"[a-z]+(?: [a-z]+)*")
_MOST_PORT: Final = 0xFFFF
#: What a column of numbers takes in all databases.
_MOST_NUMBER: Final = 0x7FFFFFFF


@dataclass(slots=True)
class Row:
    """One line: values of columns, names of what it refers to by column, and secrets if there are any."""

    line: int
    kind: str
    id: UUID | None
    revision: int
    fields: dict[str, Any]
    references: dict[str, tuple[str, str]]  #: column -> kind, name; "" for nothing
    secrets: dict[str, str] | None

    @property
    def name(self) -> str:
        """Its name; "" if the row does not say."""
        return str(self.fields.get(NAMES[self.kind], ""))

    def problem(self, text: str) -> str:
        """Return what is wrong, and where."""
        return f"line {self.line}: {text}"


def row_of(
    kind: str, entity: Entity, names: Mapping[UUID, str], secrets: Mapping[str, str] | None, identified: bool
) -> dict[str, Any]:
    """Return an entity as a row, ready for JSON; `names` are those of all that it may refer to.

    Without `identified` the row is for another network, where it would be a new one that was never tested.
    """
    row: dict[str, Any] = {"kind": kind}
    if identified:
        row |= {"id": str(entity.id), "revision": entity.revision}
    for name in _columns(type(entity)):
        value = getattr(entity, name)
        if name in _REFERENCES:
            row[_told(name)] = names[value] if value is not None else ""
        elif name not in _DERIVED and (identified or name != "tested_at"):
            row[name] = _plain(value)
    if secrets:
        row["secrets"] = dict(sorted(secrets.items()))
    return row


def read_row(line: int, text: bytes, *, sealed: bool) -> Row:
    """Return the row on a line. Raises OperatorError naming the line and what is wrong there."""
    try:
        return _read(line, text, sealed)
    except (OperatorError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise OperatorError(f"line {line}: {error}") from None
    except RecursionError:
        raise OperatorError(f"line {line}: this JSON is nested too deeply") from None


def _read(line: int, text: bytes, sealed: bool) -> Row:
    values = msgspec.json.decode(text, type=dict[str, Any])
    name = values.pop("kind", None)
    if not isinstance(name, str) or name not in KINDS:
        raise OperatorError(f"the kind is {name!r}: write one of {', '.join(KINDS)}")
    kind = KINDS[name]
    row = Row(line, name, None, 0, {}, {}, None)
    if "id" in values:
        row.id = msgspec.convert(values.pop("id"), UUID)
        if "revision" not in values:
            raise OperatorError("it has an id and no revision: export it again")
        row.revision = msgspec.convert(values.pop("revision"), int)
    if "secrets" in values:
        row.secrets = _secrets(kind, values.pop("secrets"), sealed)
    columns = _columns(kind)
    references = {_told(each): each for each in columns if each in _REFERENCES}
    for field, value in values.items():
        if field in references:
            column = references[field]
            to = msgspec.convert(value, str)
            if not to and column != "use_data_from_id":
                raise OperatorError(f"{field} is empty")
            row.references[column] = (_REFERENCES[column], to)
        elif field in columns and field not in _DERIVED and field not in _REFERENCES:
            row.fields[field] = _converted(field, columns[field], value)
            if field == "name" and kind is Host:
                check_host_name(row.fields[field])
        else:
            known = sorted(references.keys() | columns.keys() - _DERIVED - _REFERENCES.keys())
            raise OperatorError(f"a {name} has no {field!r}; it has {', '.join(known)}")
    return row


def _secrets(kind: type[Entity], value: Any, sealed: bool) -> dict[str, str]:
    if not sealed:
        raise OperatorError("it has secrets, which are only taken from a file that is sealed")
    secrets = msgspec.convert(value, dict[str, str])
    if unknown := sorted(secrets.keys() - SECRETS.get(kind, {}).keys()):
        raise OperatorError(f"there is no secret {unknown[0]!r} of such a thing")
    return secrets


@cache
def _columns(kind: type[Entity]) -> dict[str, Any]:
    """Return the columns of a kind and the types of their values."""
    hints = typing.get_type_hints(kind)
    return {name: typing.get_args(hints[name])[0] for name in inspect(kind).columns.keys()}


def _told(column: str) -> str:
    return column.removesuffix("_id")


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    return value


def _converted(field: str, kind: Any, value: Any) -> Any:
    try:
        converted = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise OperatorError(f"{field}: {error}") from None
    if isinstance(converted, datetime) and converted.tzinfo is None:
        raise OperatorError(f"{field}: {value!r} is a time without a zone: write one like 2026-01-01T12:00Z")
    if isinstance(converted, int) and not -_MOST_NUMBER <= converted <= _MOST_NUMBER:
        raise OperatorError(f"{field}: {converted} is too large a number")
    if isinstance(converted, str) and not converted.isprintable():
        raise OperatorError(f"{field} is one line of text")
    if field in _NEVER_EMPTY and not converted:
        raise OperatorError(f"{field} is empty")
    if field in _CHECKS and converted:
        try:
            _CHECKS[field](converted)
        except (OperatorError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise OperatorError(f"{field}: {error}") from None
    if field.endswith("_port"):
        _check_ports([converted])
    return converted


def _check_ports(ports: Iterable[int]) -> None:
    for port in ports:
        if not 0 <= port <= _MOST_PORT:
            raise OperatorError(f"{port} is no port: write one from 1 to {_MOST_PORT}, or 0 for none")


def _check_public_id(text: str) -> None:
    if not _PUBLIC_ID.fullmatch(text):
        raise OperatorError(f"{text!r} is not 16 upper-case hexadecimal digits")


def _check_pseudonym(text: str) -> None:
    if not _PSEUDONYM.fullmatch(text):
        raise OperatorError(f"{text!r} is not words in lower case with spaces between them")


def _check_status(status: str) -> None:
    if status not in list(Status):
        raise OperatorError(f"{status!r} is none; there are {', '.join(Status)}")


def _check_role(role: str) -> None:
    if role not in list(Role):
        raise OperatorError(f"{role!r} is no role; there are {', '.join(Role)}")


def _check_address(text: str) -> None:
    if "%" in text or str(ipaddress.ip_address(text)) != text:
        raise OperatorError(f"write the address as {ipaddress.ip_address(text.partition('%')[0])}")


def _check_country(region: str) -> None:
    if check_region(region) == EVERYWHERE:
        raise OperatorError("a host is in one country")


def _check_pages(pages: Mapping[str, list[str]]) -> None:
    for region, urls in pages.items():
        check_region(region)
        _check_urls(urls)


def _check_alerts(alerts: Mapping[str, list[str]]) -> None:
    for urls in alerts.values():
        _check_urls(urls)


def _check_urls(urls: list[str]) -> None:
    for url in msgspec.convert(urls, list[str]):
        check_url(url)


def _check_rules(rules: list[dict[str, str]]) -> None:
    for rule in rules:
        if rule.keys() != {"regex", "replace"}:
            raise OperatorError('a rule is like {"regex": "example\\\\.org", "replace": "news"}')
        check_rule(rule["regex"], rule["replace"])


_CHECKS: Final[Mapping[str, Callable[[Any], object]]] = {
    "public_id": _check_public_id,
    "published_id": _check_public_id,
    "pseudonym": _check_pseudonym,
    "bucket_id": check_bucket,
    "alternate_bucket_id": check_bucket,
    "status": _check_status,
    "replaces": _check_role,
    "address": _check_address,
    "egress_address": _check_address,
    "internal_address": _check_address,
    "region": _check_country,
    "ossh_ports": _check_ports,
    "client_banner": check_banner,
    "website_banner": check_banner,
    "website_banner_link": check_url,
    "home_pages": _check_pages,
    "mobile_home_pages": _check_pages,
    "alert_action_urls": _check_alerts,
    "page_view_rules": _check_rules,
    "https_request_rules": _check_rules,
}
