"""Programs of the system that make ordinary traffic: run to their end, whatever they say."""

import asyncio
import json
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PATIENCE", "Asked", "browse", "run"]

#: Seconds that a program has.
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its URL, headers beside the program's own, and a body if it is a POST."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


#: A browser that asks for nothing on its own behalf.
_BROWSER: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",  # it refuses to have one when root runs it
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--ignore-certificate-errors",
    "--disable-features=LocalNetworkAccessChecks,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
    "--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=10000",  # the page has so many ms of its own time, which stands still for answers
    "--dump-dom",
)
#: Has the requests of a list made one after the other, those of several lists at the same time.
_SCRIPT: Final = """
<script>
for (const list of %s) (async () => {
  for (const [url, size] of list) {
    const how = size ? {method: "POST", body: new Uint8Array(size)} : {};
    await fetch(url, {mode: "no-cors", ...how}).then(answer => answer.arrayBuffer()).catch(() => 0);
  }
})();
</script>
"""


async def run(name: str, *words: str, stdin: bytes = b"") -> None:
    """Run a program; kill it if it takes too long."""
    process = await asyncio.create_subprocess_exec(
        name,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            await process.communicate(stdin)
    except TimeoutError:
        return
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def browse(lists: Iterable[Sequence[Asked]]) -> None:
    """Have a browser without a past make the requests of each list in turn, all lists at once.

    It has connections of its own for each host. Headers are its own, too.
    """
    sizes = [[(one.url, len(one.body or b"")) for one in asked] for asked in lists]
    page = "data:text/html," + urllib.parse.quote(_SCRIPT % json.dumps(sizes))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        await run(*_BROWSER, f"--user-data-dir={profile}", page)
