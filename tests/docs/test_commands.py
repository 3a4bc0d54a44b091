"""The commands in the documents exist, with their options and arguments; and every command is documented."""

import re
import shlex

import click
import pytest
from tests.docs.commands import PAGE, Path, leaves, page, walk
from tests.docs.documents import ROOT, blocks, documents

COMMANDS = dict(walk())


#: What calls headrace besides the documents: the target and the key before the command.
CALLERS = {"Makefile": "\t$(BIN)/", "src/headrace/server/headrace-server.service": "ExecStart="}


def command_lines(text: str, before: str = "") -> list[list[str]]:
    """Return the words behind `headrace` of each line that calls it, wherever it is installed."""
    lines = text.replace("\\\n", " ").splitlines()
    calls = [line.removeprefix(before) for line in lines if line.startswith(before)]
    words = [shlex.split(call, comments=True) for call in calls if re.match(r"(/\S*/)?headrace ", call)]
    return [call[1:] for call in words]


def resolve(words: list[str]) -> tuple[Path, list[str]]:
    """Return the longest command that the words begin with, and the words behind it."""
    path: Path = ("headrace",)
    while words and (*path, words[0]) in COMMANDS:
        path, words = (*path, words[0]), words[1:]
    return path, words


LINES = [
    *((block.document, words) for block in blocks("sh", "console") for words in command_lines(block.text)),
    *(
        (name, words)
        for name, before in CALLERS.items()
        for words in command_lines((ROOT / name).read_text(), before)
    ),
]


def test_there_are_commands_to_check() -> None:
    assert {name for name, _ in LINES} >= {"README.md", *CALLERS}


@pytest.mark.parametrize(
    ("document", "words"), LINES, ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_command_lines(document: str, words: list[str]) -> None:
    path, arguments = resolve(words)
    command = COMMANDS[path]
    assert not isinstance(command, click.Group), f"{' '.join(path)} has no command {arguments[:1]}"
    context = click.Context(command, info_name=path[-1], help_option_names=["-h", "--help"])
    given, left, _ = command.make_parser(context).parse_args(list(arguments))
    assert [word for word in left if not word.startswith("$")] == []
    missing = [
        param.name for param in command.params if param.required and given.get(param.name or "") in (None, ())
    ]
    assert missing == []


@pytest.mark.parametrize(
    "name", [name for name in documents() if name != "docs/commands.md" and not name.startswith("bench/")]
)
def test_commands_and_options_in_running_text(name: str) -> None:
    options = {option for command in COMMANDS.values() for param in command.params for option in param.opts}
    for quoted in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", documents()[name], flags=re.DOTALL)):
        words = quoted.split()
        if words[0] == "headrace":
            path, rest = resolve(words[1:])
            assert len(path) > 1 or not rest or rest[0].isupper(), quoted
            assert {word for word in rest if word.startswith("--")} <= options | {"--help"}, quoted
        elif re.fullmatch(r"--[a-z-]+", quoted):
            assert quoted in options | {"--help"}, quoted


def test_the_page_of_commands_is_fresh() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.docs.commands"


def test_every_command_and_option_says_what_it_is_for() -> None:
    silent = [" ".join(path) for path, command in walk() if not command.help]
    silent += [
        f"{' '.join(path)} {param.opts[0]}"
        for path, command in leaves().items()
        for param in command.params
        if isinstance(param, click.Option) and not (param.help or param.hidden)
    ]
    assert silent == []
