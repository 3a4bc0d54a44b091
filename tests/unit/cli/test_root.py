"""The top of the command: what it imports, and how errors leave it."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from headrace import __version__
from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.cli import root


def modules_after(code: str) -> set[str]:
    """Return what is imported once a fresh interpreter has run `code`."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.split())


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("headrace.")}


def test_the_command_itself_imports_next_to_nothing() -> None:
    assert rooms(modules_after("import headrace.cli")) == {"cli"}
    modules = modules_after("import headrace.cli.root")
    assert rooms(modules) == {"base", "cli"}
    assert not modules & {"asyncio", "rich", "msgspec", "cryptography", "uvloop"}


@pytest.mark.parametrize(
    ("code", "foreign"),
    [
        ("import headrace.cli.client, headrace.client.controller", {"server", "testing", "demo"}),
        ("import headrace.cli.server, headrace.server.process", {"client", "testing", "demo"}),
    ],
    ids=["client", "server"],
)
def test_client_and_server_do_not_import_each_other(code: str, foreign: set[str]) -> None:
    modules = modules_after(code)
    assert rooms(modules) & foreign == set()
    assert not modules & {"rich", "httpx", "nacl"}


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["headrace", *arguments])
    with pytest.raises(SystemExit) as caught:
        root.main()
    assert caught.value.code is None or isinstance(caught.value.code, int)
    return caught.value.code or 0


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "--version") == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperatorError("mend\nthis"), 2),
        (OperatorError("mend this", exit_code=1), 1),
        (DocumentError("mend this"), 2),
        (click.UsageError("mend this"), 2),
    ],
    ids=["operator", "code of its own", "document", "usage"],
)
def test_errors_become_one_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(root, "headrace", fail)
    monkeypatch.setattr(sys, "argv", ["headrace"])
    with pytest.raises(SystemExit) as caught:
        root.main()
    assert caught.value.code == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("headrace: mend this")
    assert told.err.count("\n") == 1


def test_breaking_off_has_the_usual_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_options: object) -> None:
        raise click.Abort

    monkeypatch.setattr(root, "headrace", interrupted)
    assert run_main(monkeypatch) == 130


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group, **group.context_settings)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.mark.parametrize("path", [(), *commands(root.headrace)], ids=" ".join)
def test_every_command_teaches_by_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(root.headrace, [*path, "--help"])
    assert result.exit_code == 0
    assert "\n  headrace " in result.output


def test_an_unknown_command_is_none() -> None:
    assert root.headrace.get_command(click.Context(root.headrace), "nonsense") is None


@pytest.mark.parametrize("command", ["status", "--help"])
def test_output_that_finds_no_room_is_told_in_a_line(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "headrace", command], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("headrace: what there is to write cannot be written: No space left")
    assert done.stderr.count("\n") == 1


def test_a_client_that_ends_while_it_is_asked_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise NetworkError("the client has ended")

    monkeypatch.setattr(root, "headrace", broken)
    with pytest.raises(SystemExit) as stop:
        root.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "headrace: the client has ended\n"


def test_clients_and_servers_start_without_what_operators_need() -> None:
    modules = modules_after(
        "import headrace.client.controller, headrace.server.process, headrace.cli.connect"
    )
    assert "headrace.client.controller" in modules
    assert not modules & {"sqlalchemy", "alembic", "boto3", "psycopg", "segno"}
