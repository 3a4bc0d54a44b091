"""Links, paths and make targets in the documents lead somewhere."""

import json
import re

import pytest
from tests.docs.documents import ROOT, Block, blocks, documents

DOCUMENTS = documents()
#: Paths that a document writes in backquotes; those with a placeholder or a wildcard in them are examples.
_PATH = re.compile(r"`((?:src|tests|docs|bench)/[\w./-]+)(?:::\w+)?`")


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_relative_links(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name]):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths(name: str) -> None:
    assert [path for path in _PATH.findall(DOCUMENTS[name]) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.document)
def test_json(block: Block) -> None:
    json.loads(block.text)


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            targets = re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", DOCUMENTS[name])
            folder = (ROOT / name).parent
            waiting += [str((folder / target).resolve().relative_to(ROOT)) for target in targets]
    assert reached == set(DOCUMENTS)


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for text in DOCUMENTS.values() for target in re.findall(r"`make ([a-z]+)", text)}
    in_blocks = {
        line.split()[1]
        for block in blocks("sh", "console")
        for line in block.text.splitlines()
        if line.removeprefix("$ ").startswith("make ")
    }
    assert (named | in_blocks) - targets == set()
