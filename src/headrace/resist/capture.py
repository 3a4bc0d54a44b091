"""Capturing on the loopback interface, with tcpdump."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["capture"]

#: Kernel buffer in KiB: a burst of a few hundred connections fits.
_BUFFER: Final = 256 * 1024
#: Seconds for tcpdump to begin, and for what is still in the kernel when it is to end.
_PATIENCE: Final = 10.0
_REST: Final = 1.0


@contextlib.contextmanager
def capture(path: Path, ports: Sequence[int], *, kept: int = 0) -> Iterator[None]:
    """Write all TCP packets from and to these ports into `path` while the block runs.

    Of each packet `kept` bytes are, or all of them.

    Raises OperatorError if tcpdump is not there, may not capture, or lost packets.
    """
    program = shutil.which("tcpdump")
    if program is None:
        raise OperatorError("tcpdump is not installed: install it (Debian: apt install tcpdump)")
    wanted = " or ".join(f"tcp port {port}" for port in ports)
    command = [
        program,
        "-i",
        "lo",
        "-n",
        "-U",
        "-s",
        str(kept),
        "-B",
        str(_BUFFER),
        "-Z",
        "root",
        "-w",
        str(path),
        wanted,
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stderr is not None
    try:
        _wait_for(process)
        yield
        time.sleep(_REST)
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=_PATIENCE)
    for line in told.splitlines():
        if line.endswith("packets dropped by kernel") and not line.startswith("0 "):
            raise OperatorError(f"the capture is incomplete: {line}; use smaller batches")


def _wait_for(process: subprocess.Popen[str]) -> None:
    """Return once it captures. Raises OperatorError with what it said instead."""
    assert process.stderr is not None
    for line in process.stderr:
        if "listening on" in line:
            return
        said = line.strip()
    process.wait(_PATIENCE)
    raise OperatorError(f"tcpdump cannot capture: {said}; it needs root, or CAP_NET_RAW")
