"""The client's store under real processes that are really killed, and a real limit on what can be written."""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from tests.store_contents import contents, versions_of_entries

from headrace.base.clock import SYSTEM_CLOCK
from headrace.documents.entry_fields import configuration_version
from headrace.store.client.store import FILE_NAME, ClientStore
from headrace.testing.entries import address_of

KILLS = 200
ENTRIES = 120

#: For each line read, forks a child that opens the store and imports one version over and over.
IMPORTER = f"""
import os, random, signal, sys
from pathlib import Path
from headrace.base.clock import SYSTEM_CLOCK
from headrace.store.client import store_file
from headrace.store.client.store import ClientStore
from tests.store_contents import versions_of_entries

of_version = versions_of_entries({ENTRIES})
store_file._LONGEST_LOG = 150_000  # a checkpoint every few batches
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    directory, version = line.split()
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    wanted = of_version(int(version))
    os.write(MESSAGES, b"ready")
    tell = lambda text: os.write(MESSAGES, text.encode())
    store = ClientStore.open(Path(directory), SYSTEM_CLOCK, notify=tell)
    while True:
        random.shuffle(wanted)
        for _ in store.entries.import_entries(wanted, replace=True, batch=20):
            pass
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Importer:
    """Starts importing processes, which have imported all modules before they begin."""

    def __init__(self, process: "subprocess.Popen[str]", messages: IO[bytes]) -> None:
        self._process = process
        self._messages = messages

    def run_and_kill(self, directory: Path, version: int, seconds: float) -> None:
        """Import a version until so long after the child is ready, then kill it with no warning."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{directory} {version}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        handle = os.pidfd_open(child)
        try:
            assert os.read(self._messages.fileno(), 5) == b"ready"
            said, _, _ = select.select([self._messages], [], [], seconds)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            assert not said, os.read(self._messages.fileno(), 1000)
            gone, _, _ = select.select([handle], [], [], 10)
            assert gone
        finally:
            os.close(handle)


@contextmanager
def importer() -> Iterator[Importer]:
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTER.replace("MESSAGES", str(write))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        pass_fds=[write],
    ) as process:
        os.close(write)
        with open(read, "rb", buffering=0) as messages:
            yield Importer(process, messages)
            process.communicate()


def test_a_store_survives_kills_at_any_moment(tmp_path: Path) -> None:
    of_version = versions_of_entries(ENTRIES)
    chance = random.Random("moments")
    kept = {address_of(number): {0} for number in range(ENTRIES)}  # versions that may be there; 0 is none
    directory, replaced = tmp_path / "store", 0
    with importer() as children:
        for version in range(1, KILLS + 1):
            children.run_and_kill(directory, version, chance.uniform(0, 0.03))
            for versions in kept.values():
                versions.add(version)
            # Looked at in a copy half of the time, so that the next child meets what this one left.
            seen = directory if version % 2 else Path(shutil.copytree(directory, tmp_path / "copy"))
            texts: list[str] = []
            with closing(ClientStore.open(seen, SYSTEM_CLOCK, notify=texts.append)) as store:
                if store._database._file._check:
                    store._database._file._check.join()
                expected = {}
                for address, versions in kept.items():
                    fields = store.entries.get(address)
                    found = configuration_version(fields) if fields else 0
                    assert found in versions, f"kill {version}: {address} has version {found}"
                    replaced += found == version
                    kept[address] = {found}
                    if fields:
                        expected[address] = fields
                for found in {found for versions in kept.values() for found in versions} - {0}:
                    for fields in of_version(found):
                        if kept[str(fields["ipAddress"])] == {found}:
                            assert expected[str(fields["ipAddress"])] == fields
            assert texts == [], f"kill {version}"
            state = contents(seen / FILE_NAME)
            tags = {fields["tag"]: (address, min(kept[address])) for address, fields in expected.items()}
            assert state["tags"] == tags
            if seen != directory:
                shutil.rmtree(seen)
    assert 0.1 * KILLS * ENTRIES < replaced < KILLS * ENTRIES, "they were killed while they imported"


FULL_DISK = f"""
import json, resource, sys
from pathlib import Path
from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG
from headrace.store.client.store import ClientStore
from tests.store_contents import versions_of_entries

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def fill():
    *_, progress = store.entries.import_entries(of_version(30), replace=True, batch=20)
    return progress.written

def loaded():
    return sum(store.entries.load(one, None) is not None for one in store.entries.addresses(SYSTEM_RNG))

told, result = [], {{}}
of_version = versions_of_entries({ENTRIES})
directory = Path(sys.argv[1])
store = ClientStore.open(directory, SYSTEM_CLOCK, notify=told.append)
limit(200_000)
result["written"] = fill()
result["told while full"] = list(told)
result["loaded"] = loaded()
limit(resource.RLIM_INFINITY)
result["written with room"] = fill()
result["loaded with room"] = loaded()
store.close()
limit(0)
result["told"] = list(told)
del told[:]
store = ClientStore.open(directory, SYSTEM_CLOCK, notify=told.append)
result["loaded from a full disk"] = loaded()
store.values.set("key", "value")
result["told of a full disk"] = list(told)
limit(resource.RLIM_INFINITY)
store.values.set("key", "value")
result["value"] = store.values.get("key")
store.close()
print(json.dumps(result))
"""


def test_a_full_disk(tmp_path: Path) -> None:
    output = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "store")],
        check=True,
        env=environment(),
        stdout=subprocess.PIPE,
        timeout=60,
    ).stdout
    result = json.loads(output)
    failure = "the client store cannot be written (disk I/O error); the client goes on without"
    assert 0 < result["written"] < ENTRIES
    assert result["loaded"] == result["written"]
    assert result["told while full"] == [failure]
    assert result["written with room"] == result["loaded with room"] == ENTRIES
    assert result["told"] == [failure, "the client store can be written again"]
    assert result["loaded from a full disk"] == ENTRIES
    assert result["told of a full disk"] == [failure]
    assert result["value"] == "value"
