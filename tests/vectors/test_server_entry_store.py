"""What a store holds after each step of storing and pruning, as the network's own clients would have it."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.store_contents import contents

from headrace.base.clock import SYSTEM_CLOCK
from headrace.documents.entry_fields import decode_fields
from headrace.store.client.store import FILE_NAME, ClientStore

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("server_entry_store.json").read_text())
WEEK = 7 * 86_400.0


@pytest.mark.parametrize("scenario", VECTORS["scenarios"], ids=lambda scenario: str(scenario["name"]))
def test_scenario(scenario: dict[str, Any], tmp_path: Path) -> None:
    with closing(ClientStore.open(tmp_path, SYSTEM_CLOCK)) as store:
        for step in scenario["steps"]:
            if step["op"] == "store":
                fields = decode_fields(step["encoded"], step["source"], step["timestamp"])
                store.entries.store(fields, replace=step["replaceIfExists"])
            else:
                assert store.entries.prune(step["tag"], WEEK) == step["pruned"]
            assert contents(tmp_path / FILE_NAME) == {
                "serverEntries": step["stateAfter"]["serverEntries"],
                "tags": {
                    tag: (record["serverEntryID"], record["configurationVersion"])
                    for tag, record in step["stateAfter"]["tags"].items()
                },
                "tombstones": step["stateAfter"]["tombstones"],
            }
