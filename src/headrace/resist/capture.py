"""Capturing on the loopback interface, with tcpdump."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.resist.children import running

__all__ = ["capture"]

#: Kernel buffer in KiB: a burst of a few hundred connections fits.
_BUFFER: Final = 256 * 1024
#: Seconds for what is still in the kernel when the capture is to end.
REST: Final = 1.0
_DROPPED: Final = re.compile(r"^(\d+) packets? dropped by kernel", re.MULTILINE)


@asynccontextmanager
async def capture(path: Path, ports: Sequence[int], *, kept: int = 0) -> AsyncIterator[None]:
    """Write all TCP packets from and to these ports into `path` while the block runs.

    Of each packet `kept` bytes are, or all of them.

    Raises OperatorError if tcpdump is not there, may not capture, ends too early, or lost a single packet.
    """
    program = shutil.which("tcpdump")
    if program is None:
        raise OperatorError("tcpdump is not installed: install it (Debian: apt install tcpdump)")
    how = ("-i", "lo", "-n", "-U", "-s", str(kept), "-B", str(_BUFFER), "-Z", "root")
    wanted = " or ".join(f"tcp port {port}" for port in ports)
    file = path.absolute()
    async with running(program, *how, "-w", file, wanted, directory=file.parent) as tcpdump:
        try:
            await tcpdump.says("listening on")
        except OperatorError as error:
            raise OperatorError(f"tcpdump cannot capture: {error}; it needs root, or CAP_NET_RAW") from error
        yield
        await asyncio.sleep(REST)
        status, told = await tcpdump.last_words()
    dropped = _DROPPED.search(told)
    if status or dropped is None:
        raise OperatorError(f"the capture is incomplete: tcpdump ended: {told.strip()[-300:]}")
    if int(dropped[1]):
        raise OperatorError(f"the capture is incomplete: {dropped[0]}; use smaller batches")
