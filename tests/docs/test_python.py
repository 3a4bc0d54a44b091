"""docs/python.md: its examples are run as they stand, but for where they go; it names all there is."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.docs.documents import ROOT, blocks

import headrace
from headrace.client.status import State
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import PAGE, Origin

PAGE_NAME = "docs/python.md"
EXAMPLES = [block.text for block in blocks("python") if block.document == PAGE_NAME]


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Path]:
    """A directory with what a client is given."""
    async with LoopbackServer() as server:
        entry = server.entry.encode()
        names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
        (tmp_path / "client.config").write_text(json.dumps({**names, "TargetServerEntry": entry}))
        (tmp_path / "server-entry.dat").write_text(entry + "\n")  # as `headrace server generate` does
        yield tmp_path


async def run(example: str, directory: Path, origin: Origin) -> str:
    """Run a program that goes to the origin instead of the web; return what it prints."""
    example = example.replace("http://example.com/", origin.url())
    example = example.replace('"example.com", 80', f'"{origin.host}", {origin.port}')
    (directory / "example.py").write_text(example)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "example.py"),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    return output.decode()


@pytest.mark.parametrize("example", EXAMPLES)
async def test_examples(example: str, directory: Path, origin: Origin) -> None:
    output = await run(example, directory, origin)
    if "example.com" in example:
        assert "It works" in PAGE.decode()
        assert "It works" in output
    else:
        assert output.strip()


def test_there_is_one_for_each_library() -> None:
    whole = "\n".join(EXAMPLES)
    for library in ("asyncio", "httpx", "aiohttp", "requests"):
        assert f"import {library}\n" in whole


def test_every_failure_is_listed() -> None:
    text = (ROOT / PAGE_NAME).read_text()
    listed = re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    assert listed == [failure.name for failure in headrace.Failure]


def test_every_state_is_listed() -> None:
    text = (ROOT / PAGE_NAME).read_text()
    assert [state.value for state in State if f"`{state.value}`" not in text] == []


def test_every_public_name_is_there() -> None:
    for name in headrace.__all__:
        assert getattr(headrace, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        headrace.nothing  # noqa: B018
