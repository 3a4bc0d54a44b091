"""docs/configuration.md lists the fields there are, with defaults, and says which are of use."""

import ast
import re
from pathlib import Path

import msgspec
import pytest
from tests.docs.documents import ROOT, documents, tables

from headrace.cli import stock
from headrace.documents import traffic_rules
from headrace.documents.client_config import ClientConfig, ClientRateLimits, NoticeFileSettings
from headrace.documents.load_limits import LoadLimits
from headrace.documents.osl.config import Scheme, SeedSpec
from headrace.documents.server_config import ServerConfig
from headrace.documents.traffic_filter import TrafficFilter

TABLES = tables("docs/configuration.md")
SOURCE = ROOT / "src" / "headrace"

every_configuration = pytest.mark.parametrize(
    ("name", "kind"), [("client", ClientConfig), ("server", ServerConfig)], ids=["client", "server"]
)


def wire_fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields that a file may have, by the name they have there."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind) if field.encode_name}


def plain(cell: str) -> str:
    return cell.replace("`", "")


def code_that_uses_configurations(module: Path) -> str:
    """Return what in a module may use a field; to check one is not to use it."""
    text = module.read_text()
    if module.stem.endswith("_checks"):
        return ""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == "_check":
            text = text.replace(ast.get_source_segment(text, node) or "", "")
    return text


parts = pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("client", ClientConfig),
        ("rate limits of a client", ClientRateLimits),
        ("notice files", NoticeFileSettings),
        ("server", ServerConfig),
        ("load limits", LoadLimits),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)


@parts
def test_every_field_is_listed_in_the_order_of_the_code(name: str, kind: type[msgspec.Struct]) -> None:
    assert [plain(row[0]) for row in TABLES[name]] == list(wire_fields(kind))


@pytest.mark.parametrize(("name", "kind"), [("obfuscated lists", Scheme), ("seed specs", SeedSpec)])
def test_every_field_of_a_scheme_is_listed(name: str, kind: type[msgspec.Struct]) -> None:
    fields = wire_fields(kind)
    assert sorted(plain(row[0]) for row in TABLES[name]) == sorted(fields)
    for row in TABLES[name]:
        assert (row[1] == "required") is fields[plain(row[0])].required


@parts
def test_defaults(name: str, kind: type[msgspec.Struct]) -> None:
    fields = wire_fields(kind)
    for field, _, documented, _ in TABLES[name]:
        default = fields[plain(field)].default
        if documented.startswith("`") and default is not msgspec.NODEFAULT:
            assert msgspec.json.decode(plain(documented)) == default, field
        elif documented.startswith("`"):
            assert msgspec.json.decode(plain(documented)) == fields[plain(field)].default_factory(), field


@every_configuration
def test_fields_said_to_be_of_no_use_yet_are_those(name: str, kind: type[msgspec.Struct]) -> None:
    fields = wire_fields(kind)
    code = "".join(code_that_uses_configurations(path) for path in SOURCE.rglob("*.py"))
    unused = {
        wire
        for wire, field in fields.items()
        if not re.search(rf'\b(config|settings|self)\.{field.name}\b|known\.get\("{wire}"\)', code)
    }
    assert {plain(row[0]) for row in TABLES[name] if "not used yet" in row[3]} == unused


@pytest.mark.parametrize(
    ("name", "kind"), [("traffic rules", traffic_rules._Rules), ("rate limits", traffic_rules._RateLimits)]
)
def test_traffic_rules(name: str, kind: type[msgspec.Struct]) -> None:
    assert [plain(row[0]) for row in TABLES[name]] == list(wire_fields(kind))
    defaults: object = traffic_rules._DEFAULTS
    defaults = defaults.rate_limits if name == "rate limits" else defaults  # type: ignore[attr-defined]
    by_name = {wire: getattr(defaults, field.name) for wire, field in wire_fields(kind).items()}
    for field, default, _ in TABLES[name]:
        if default.isdigit():
            assert int(default) == by_name[plain(field)], field
        elif default.startswith("`"):
            assert msgspec.json.decode(plain(default)) == by_name[plain(field)], field


def test_the_stock_options() -> None:
    listed = [plain(cell).replace(", ", "\n").splitlines() for cell, _ in TABLES["stock options"]]
    assert [name.split()[0].lstrip("-") for names in listed for name in names] == list(stock.OPTIONS)
    for cell, same in TABLES["stock options"]:
        if same.startswith("`"):
            (written, *value), ours = plain(cell).split(), plain(same).split()
            assert [*stock.translate(written), *value] == ours


def test_the_filter_conditions_are_named() -> None:
    text = documents()["docs/configuration.md"]
    names = wire_fields(TrafficFilter)
    assert [name for name in names if f"`{name}`" not in text] == []
