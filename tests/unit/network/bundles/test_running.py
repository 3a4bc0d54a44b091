"""From the file that somebody was given to a page behind the tunnel, on a Python with nothing installed."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from headrace.network.bundles.archive import Base, make_archive
from headrace.network.bundles.checks import encode_bundle, verify_bundle
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import PAGE, Origin

BARE: Final = (getattr(sys, "_base_executable", sys.executable), "-I", "-S")


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory: paths of sockets are short."""
    directory = Path(tempfile.mkdtemp(prefix="run-"))
    yield directory
    shutil.rmtree(directory)


class User:
    """Whoever was given the file."""

    def __init__(self, home: Path, runtime: Path, file: bytes) -> None:
        self._home = home
        self._file = home / "headrace-web.pyz"
        self._file.write_bytes(file)
        self._environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": "/usr/bin:/bin"}

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            *BARE,
            self._file,
            *arguments,
            cwd=self._home,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(40):
            out, err = await process.communicate()
        assert b"Traceback" not in err
        return process.returncode, out.decode(), err.decode()


async def test_starting_the_file_connects(tmp_path: Path, runtime: Path, base: Base) -> None:
    async with LoopbackServer() as server, Origin() as origin:
        bundle = encode_bundle(
            {
                "PropagationChannelId": "0" * 15 + "1",
                "SponsorId": "0" * 15 + "2",
                "EmbeddedServerEntryList": [server.entry.encode()],
            }
        )
        verify_bundle(bundle)
        user = User(tmp_path, runtime, make_archive(base, bundle))
        try:
            code, out, err = await user.run()
            assert code == 0, (out, err)
            code, out, err = await user.run("status", "--json")
            assert code == 0, (out, err)
            port = json.loads(out)["ports"]["http"]
            async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{port}", trust_env=False) as client:
                assert (await client.get(origin.url())).content == PAGE
        finally:
            code, _, err = await user.run("disconnect")
        assert code == 0, err
