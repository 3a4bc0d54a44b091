"""Telling the service manager how the service is doing: datagrams to the socket it names (sd_notify(3))."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Says it to the service manager, if there is one that wants to know. Never raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "")
        #: Seconds between two signs of life, half of what is waited for one; 0 if nobody waits.
        self.watchdog = int(period) / 2e6 if self._address and ours and period.isdecimal() else 0.0

    def ready(self, status: str) -> None:
        """The service serves, or has read its files again."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """It reads its files again, until `ready`."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """It is about to end, within so many seconds."""
        self._tell("STOPPING=1", "STATUS=draining", f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """A sign of life."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A service manager that does not listen is no reason to stop serving, nor to wait.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto("\n".join(lines).encode(), self._address)
