"""The page and the schema of notices, as their declarations have them; run as a module it writes both."""

import ast
import json
from collections.abc import Iterator

from tests.docs.documents import ROOT
from tests.notice_schema import DIALECT, notice_schema

from headrace.client.notice_types import NOTICE_TYPES, Field, Kind

__all__ = ["PAGE", "SCHEMA", "emitted", "page", "schema", "shown"]

PAGE = ROOT / "docs" / "notices.md"
SCHEMA = ROOT / "docs" / "notices.schema.json"

#: What a kind of notice needs to be shown.
_SWITCHES = {
    Kind.DIAGNOSTIC: "`EmitDiagnosticNotices`",
    Kind.NETWORK: "`EmitDiagnosticNetworkParameters`",
    Kind.BYTES: "`EmitBytesTransferred`",
    Kind.ADDRESS: "`EmitClientAddress`",
    Kind.ALERT: "`EmitServerAlerts`",
}
_SUPPRESSED = {
    Kind.ON_CHANGE: "when it differs from the last one",
    Kind.ONE_REPEAT: "at most twice in a row",
    Kind.ONCE: "each once",
}

_HEAD = """# Notices

The client tells whatever runs it what happens: one JSON object a line, on standard error if nothing else is
said, in the form of the deployed programs.

```json
{"data":{"count":1},"noticeType":"Tunnels","timestamp":"2024-01-02T03:04:05.678Z"}
```

Order, spacing and escapes never change: keys are sorted at every level, there are no spaces, and `&`, `<` and
`>` are written `\\u0026`, `\\u003c` and `\\u003e`. Times are UTC, durations are texts like `1.5s`, `250ms` or
`5m0s`. IP addresses are taken out of every line, but where showing one is the purpose; a server goes by its
`diagnosticID`, the first characters of its entry's tag. In a run's life,

1. `ListeningSocksProxyPort` and `ListeningHttpProxyPort` say where the proxies are: they cannot be used yet;
2. `Tunnels` with a `count` of 1 or more says that they can; with 0 again, the client is reconnecting;
3. `Exiting` is the last line.

[notices.schema.json](notices.schema.json) describes every type for programs (JSON Schema, 2020-12). Be ready
for further types, and for further fields of these. Page and schema are made from the program's own
declarations, and the tests hold every notice they see against them. `python -m tests.docs.notices` writes
both.

## In files

With `-useNoticeFiles`, or `UseNoticeFiles` in the configuration, there are files in the data directory, below
`ca.psiphon.PsiphonTunnel.tunnel-core`, for their owner only:

| file | holds |
| --- | --- |
| `homepage` | the home pages of the newest tunnel, which leave the stream |
| `notices` | all others, always as JSON; what is for diagnosis leaves the stream |
| `notices.1` | what `notices` was before it reached its size: 1 MiB, or `-rotatingFileSize` |

After every 100 lines, or `-rotatingSyncFrequency`, they are forced to the disk. `ClientAddress`, `Untunneled`
and `BytesTransferred` go to no file. A disk that is full costs notices and nothing else.

## Types

"Shown" names the field of the [configuration](configuration.md#the-client) that has to be set, if one has to
be. Fields in parentheses are not in every notice.
"""

_ATTEMPTS = """## Attempts

What a notice of an attempt at a server has as data:
"""

_REST = """## Types of the deployed programs

headrace knows them, and does not emit them yet.
"""
_ATTEMPT = "ConnectingServer"


def schema() -> str:
    """Return what docs/notices.schema.json should hold."""
    document = {
        "$schema": DIALECT,
        "title": "A notice of the headrace client",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in NOTICE_TYPES],
        "$defs": {name: notice_schema(name) for name in NOTICE_TYPES},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """Return what docs/notices.md should hold."""
    used = emitted()
    return "\n".join(
        [
            _HEAD,
            *_table([name for name in NOTICE_TYPES if name in used]),
            "",
            _ATTEMPTS,
            "| field | says |",
            "| --- | --- |",
            *(
                f"| {_name(name, field)} | {_says(field)} |"
                for name, field in NOTICE_TYPES[_ATTEMPT].fields.items()
            ),
            "",
            _REST,
            *_table([name for name in NOTICE_TYPES if name not in used]),
            "",
        ]
    )


def _table(names: list[str]) -> Iterator[str]:
    yield "| type | says | data | shown |"
    yield "| --- | --- | --- | --- |"
    for name in names:
        kind = NOTICE_TYPES[name]
        if kind.fields == NOTICE_TYPES[_ATTEMPT].fields:
            fields = "[of the attempt](#attempts)"
        else:
            fields = "; ".join(f"{_name(name, field)}: {_says(field)}" for name, field in kind.fields.items())
        yield f"| `{name}` | {kind.says} | {fields} | {shown(kind.kind)} |"


def shown(kind: Kind) -> str:
    """Return when a kind of notice is shown."""
    return ", ".join(text for flag, text in {**_SWITCHES, **_SUPPRESSED}.items() if flag in kind) or "always"


def _name(name: str, field: Field) -> str:
    return f"`{name}`" if field.always else f"(`{name}`)"


def _says(field: Field) -> str:
    return field.says + ", with `EmitDiagnosticNetworkParameters`" * field.network


def emitted() -> set[str]:
    """Return the types of notice that the code emits."""
    found = set()
    for path in (ROOT / "src" / "headrace").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and "emit" in (
                getattr(call.func, "attr", ""),
                getattr(call.func, "id", ""),
            ):
                found |= _types_of(call.args[0])
    return found


def _types_of(argument: ast.expr) -> set[str]:
    """Return the types that an argument may be: a text, or one with the name of a local proxy in it."""
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    if isinstance(argument, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in argument.values]
        return {"".join(parts).format(proxy) for proxy in ("Socks", "Http")}
    return set()


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(schema())
