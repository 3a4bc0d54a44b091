"""One process at a time."""

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.store_contents import SetClock

from headrace.base.errors import LocalProtocolError, OperatorError
from headrace.store.client.lock import DirectoryLock
from headrace.store.client.store import ClientStore

HOLDER = """
import os, sys
from pathlib import Path
from headrace.base.clock import SYSTEM_CLOCK
from headrace.store.client.store import ClientStore
store = ClientStore.open(Path(sys.argv[1]), SYSTEM_CLOCK)
store.values.set("key", "value")
print("ready", flush=True)
sys.stdin.read()
"""


def holder(directory: Path) -> "subprocess.Popen[str]":
    """Start a process that has the store open, and wait until it has."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_another_process_is_named_and_its_end_sets_the_store_free(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with pytest.raises(
            OperatorError, match=f"in use by process {process.pid}; stop that client"
        ) as caught:
            ClientStore.open(tmp_path, SetClock())
        assert caught.value.exit_code == 2
    finally:
        process.kill()
        process.communicate(timeout=30)
    with closing(ClientStore.open(tmp_path, SetClock())) as store:
        assert store.values.get("key") == "value"


def test_one_store_for_each_directory_in_a_process(tmp_path: Path) -> None:
    store = ClientStore.open(tmp_path, SetClock())
    with pytest.raises(OperatorError, match="already open in this process"):
        ClientStore.open(tmp_path, SetClock())
    ClientStore.open(tmp_path / "other", SetClock()).close()
    store.close()
    store.close()
    ClientStore.open(tmp_path, SetClock()).close()


def test_a_lock_without_a_name(tmp_path: Path) -> None:
    with closing(DirectoryLock(tmp_path / "lock")):
        os.truncate(tmp_path / "lock", 0)
        with pytest.raises(OperatorError, match="in use by another process"):
            DirectoryLock(tmp_path / "lock")


@pytest.mark.parametrize("text", [b"", b"4194303", b"\xff" * 100])
def test_what_a_dead_holder_left_does_not_matter(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "lock").write_bytes(text)
    with closing(DirectoryLock(tmp_path / "lock")):
        assert (tmp_path / "lock").read_bytes() == str(os.getpid()).encode()


FORKING = """
import os, sys
from pathlib import Path
from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import LocalProtocolError
from headrace.store.client.store import ClientStore
store = ClientStore.open(Path(sys.argv[1]), SYSTEM_CLOCK)
store.values.set("key", "value")
if os.fork() == 0:
    try:
        store.values.get("key")
    except LocalProtocolError as error:
        os.write(1, f"{error}\\n".encode())
    sys.stdin.read()  # lives on after the parent
    os._exit(0)
os.wait4(-1, os.WNOHANG)
os.write(1, store.values.get("key").encode() + b"\\n")
os.kill(os.getpid(), 9)
"""


def test_a_forked_child_has_no_part_in_it(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", FORKING, str(tmp_path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline(), parent.stdout.readline()}
        assert parent.wait(timeout=30) == -9
        assert lines == {"value\n", "the client store belongs to the thread and process that opened it\n"}
        with closing(ClientStore.open(tmp_path, SetClock())) as store:
            assert store.values.get("key") == "value", "though the child is still there"


def test_another_thread_is_refused(store: ClientStore) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            store.values.get("key")
        except LocalProtocolError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "belongs to the thread and process that opened it" in str(caught)
    assert store.values.get("key") == ""
