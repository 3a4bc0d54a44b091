"""An operator at the keyboard: entries signed, a list made and published, and fetched elsewhere."""

import asyncio
import base64
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.certificates import Authority
from tests.e2e.storage import Storage
from tests.interop.programs import missing
from tests.package_keys import KEY
from tests.unit.cli.running import entry
from tests.web_server import Answer, Asked, StoredFile, WebServer, serve

from headrace.documents.signed_package import make_package


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "headrace", *map(str, arguments)]


def run(*arguments: object, cwd: Path, code: int = 0, stdin: str = "") -> str:
    """Run the command in a child; return what it printed."""
    done = subprocess.run(
        command(*arguments), cwd=cwd, input=stdin, capture_output=True, text=True, timeout=50
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done.stdout


def test_from_entries_to_a_client_that_fetches_them(
    storage: Storage, authority: Authority, tmp_path: Path
) -> None:
    home, away = tmp_path / "operator", tmp_path / "client"
    home.mkdir()
    away.mkdir()
    (home / "servers.list").write_text("".join(f"{entry(number)}\n" for number in range(1, 4)))
    run("entries", "keygen", "--output", "entry-key", cwd=home)
    run("lists", "keygen", "--output", "list-key", cwd=home)
    run(*"entries sign servers.list --private-key entry-key --output signed.list".split(), cwd=home)
    run(*"lists make signed.list --private-key list-key --output server_list_compressed".split(), cwd=home)
    path = f"{storage.prefix()}/server_list_compressed"
    storage.put(path, (home / "server_list_compressed").read_bytes())
    # Two files are all that the operator hands over: here in the form of a client's configuration.
    config = {
        "RemoteServerListURLs": [{"URL": base64.b64encode(storage.url(path).encode()).decode()}],
        "RemoteServerListSignaturePublicKey": (home / "list-key.pub").read_text().strip(),
        "ServerEntrySignaturePublicKey": (home / "entry-key.pub").read_text().strip(),
        "TrustedCACertificatesFilename": str(authority.file),
    }
    (away / "client.config").write_text(json.dumps(config))
    fetched = run("lists", "fetch", "--config", "client.config", "--output", "got", cwd=away)
    assert "list of 3 entries, 0 without" in fetched
    assert [path.name for path in away.iterdir() if path.name != "client.config"] == ["got"]
    lines = run(*"lists verify got --public-key client.config --output -".split(), cwd=away)
    assert lines == (home / "signed.list").read_text()
    verified = run(*"entries verify - --public-key client.config".split(), cwd=away, stdin=lines)
    assert verified.count("good") == 3
    # A year later a capability is revoked, and the list published again.
    entries = [
        json.loads(line) for line in run("entries", "decode", "signed.list", "--json", cwd=home).splitlines()
    ]
    entries[0]["capabilities"].remove("OSSH")
    entries[0]["configurationVersion"] += 1
    changed = run("entries", "encode", "-", cwd=home, stdin=json.dumps(entries[0]))
    (home / "new").write_text(
        run("entries", "sign", "-", "--private-key", "entry-key", cwd=home, stdin=changed)
    )
    told = run(*"entries merge signed.list new --output signed.list --json".split(), cwd=home)
    assert json.loads(told)["files"][1]["replaced"] == 1
    run(*"lists make signed.list --private-key list-key --output server_list_compressed".split(), cwd=home)
    storage.put(path, (home / "server_list_compressed").read_bytes())
    run("lists", "fetch", "--config", "client.config", "--output", "got", cwd=away)
    lines = run(*"lists verify got --public-key client.config --output -".split(), cwd=away)
    (first, *others) = run("entries", "show", "-", "--json", cwd=away, stdin=lines).splitlines()
    assert json.loads(first)["protocols"] == {"SSH": 22}
    assert len(others) == 2


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{entry(1)}\n" * 2000)
    with subprocess.Popen(
        command("entries", "decode", "list"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


async def test_breaking_off_and_going_on(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a download, on a terminal: nothing is half-written, and nothing is lost."""
    package = make_package("\n".join(entry(number) for number in range(200)), KEY)
    half = len(package) // 2
    stored = StoredFile(package)
    stalled = True

    def answer(asked: Asked) -> Answer:
        whole = stored(asked).data
        return Answer(whole[: whole.index(b"\r\n\r\n") + 4 + half] if stalled else whole)

    web = WebServer(answer)
    async with serve(web) as port:
        words = ["lists", "fetch", f"http://127.0.0.1:{port}/list", "--public-key", KEY.public.to_text()]
        with terminal() as screen:
            process = await asyncio.create_subprocess_exec(
                *command(*words, "--output", "got"), cwd=tmp_path, stdout=screen, stderr=screen, stdin=screen
            )
            part = tmp_path / "got.unverified.part"
            try:
                await asyncio.to_thread(wait_for, part, half)
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 130
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        assert sorted(path.name for path in tmp_path.iterdir()) == [part.name, f"{part.name}.etag"]
        stalled = False
        done = await asyncio.to_thread(run, *words, "--output", "got", cwd=tmp_path)
    assert "list of 200 entries" in done
    assert [asked.start for asked in web.asked] == [0, half]
    assert [path.name for path in tmp_path.iterdir()] == ["got"]


def wait_for(path: Path, size: int) -> None:
    """Come back when a file has that size."""
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size == size):
        assert time.monotonic() < deadline
        os.sched_yield()


@contextmanager
def terminal() -> Iterator[int]:
    """Give the far end of a terminal. What is shown is thrown away: unread, it would stop the program."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        missing("a pseudo-terminal")
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, os.read, ours, 65_536)
    try:
        yield theirs
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)
