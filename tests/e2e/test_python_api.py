"""A client in a program: no port, no process; 200 connections at once; nothing is left of it afterwards."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from tests.e2e import embedding

from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import Origin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize("directory", [False, True], ids=["forgetful", "with a data directory"])
async def test_a_program_with_a_client_in_it(tmp_path: Path, origin: Origin, directory: bool) -> None:
    async with LoopbackServer() as server:
        fields = {
            "PropagationChannelId": "F" * 16,
            "SponsorId": "F" * 16,
            "TargetServerEntry": server.entry.encode(),
            "LocalSocksProxyPort": 1080,  # of no effect
        }
        if directory:
            (tmp_path / "data").mkdir()
            fields["DataRootDirectory"] = str(tmp_path / "data")
        (tmp_path / "client.config").write_text(json.dumps(fields))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-X", "dev", embedding.__file__),
            *(str(tmp_path / "client.config"), str(origin.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
    # asyncio tells of slow callbacks, too
    warnings = [line for line in errors.decode().splitlines() if "took" not in line]
    assert (process.returncode, warnings) == (0, [])
    told = json.loads(output)
    assert told.pop("sizes") == list(range(1000, 1200))
    assert told.pop("seconds to end") <= 2
    assert told == {
        "listening": 0,
        "sockets": 1,  # the tunnel
        "processes": 0,
        "tasks left": 0,
        "sockets left": 0,
        "threads left": 0,
    }
