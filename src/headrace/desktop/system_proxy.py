"""One client at a time whose proxies the desktop uses; what it changed is put back, by it or by the next.

The lock says whether that client still runs: the operating system takes it back when a process ends, however
it does. A record without anybody who holds the lock was left by a client that was killed.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.desktop.record import Record, RecordFile
from headrace.desktop.settings import ADDRESSES, MODE, Desktop, Proxies, Settings

if sys.platform == "win32":  # pragma: no cover
    import msvcrt
else:
    import fcntl

__all__ = ["InUse", "SystemProxy"]

_LONGEST_PID: Final = 20  # digits


class InUse(OperatorError):
    """Another client holds the settings: the process of that id, 0 where it is not known."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.who = f"process {process}" if process else "another process"
        super().__init__(
            f"the desktop's settings are for the proxies of one client, and {self.who} has them: end it, or "
            "start this one without --system-proxy",
            exit_code=1,
        )


class SystemProxy:
    """The user's settings; `directory` has what is known of them, `find` returns a desktop by its name."""

    def __init__(self, directory: Path, find: Callable[[str], Desktop]) -> None:
        self._directory = directory
        self._lock = directory / "system-proxy.lock"
        self._record = RecordFile(directory / "system-proxy.json")
        self.find = find

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the settings for oneself in the block. Raises OperatorError, InUse if another has them."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise OperatorError(f"{self._lock} cannot be opened: {error.strerror}") from error
        try:
            try:
                _take(lock)
            except OSError:
                process = os.read(lock, _LONGEST_PID)
                raise InUse(int(process) if process.isdigit() else 0) from None
            with contextlib.suppress(OSError):  # a full disk has no room for the name, which is no harm
                os.ftruncate(lock, 0)
                os.write(lock, str(os.getpid()).encode())
            yield
        finally:
            os.close(lock)

    def holder(self) -> int | None:
        """Return the id of the process that holds the settings, None if none does. Raises OperatorError."""
        try:
            with self.held():
                return None
        except InUse as error:
            return error.process

    def changed(self) -> Record | None:
        """Return what has been changed and not put back, None if nothing is. Raises OperatorError."""
        return self._record.read()

    def apply(self, desktop: Desktop, proxies: Proxies) -> None:
        """Have programs use these proxies; to be done while held, after `restore`.

        Raises OperatorError when they would not, and all is as it was.
        """
        settings, now = desktop.settings(proxies), desktop.read()
        before = {name: now.get(name) for name in settings}
        self._record.write(Record(desktop.name, before, settings))
        try:
            desktop.write(settings)
            now = desktop.read()
            refused = [name for name, text in settings.items() if now.get(name) != text]
            if refused:
                raise OperatorError(
                    f"the {desktop.name} settings do not keep what is set: {', '.join(refused)}"
                )
        except BaseException:
            with contextlib.suppress(OperatorError):  # then the next start tries again
                self.restore()
            raise

    def restore(self) -> bool:
        """Put back what has been changed and is still as we made it; to be done while held.

        Returns whether anything had been changed. Raises OperatorError, and the record stays.
        """
        record = self._record.read()
        if record is None:
            return False
        desktop = self.find(record.desktop)
        changes = _what_to_put_back(record, desktop.read())
        if changes:
            desktop.write(changes)
            now = desktop.read()
            if left := [name for name in changes if now.get(name) == record.ours[name]]:
                raise OperatorError(f"the {desktop.name} settings cannot be put back: {', '.join(left)}")
        self._record.remove()
        return True


def _what_to_put_back(record: Record, now: Settings) -> dict[str, str | None]:
    """Return the settings to write, the mode first: without what somebody else has changed meanwhile.

    The mode goes with the addresses: whoever has changed one of them means the mode to be as it is.
    """
    theirs = {name for name in record.ours if name not in now or not _is_ours(name, record, now[name])}
    if theirs & ADDRESSES:
        theirs.add(MODE)
    before = {name: record.before.get(name) for name in reversed(record.ours) if name not in theirs}
    return {name: text for name, text in before.items() if now[name] != text}


def _is_ours(name: str, record: Record, now: str | None) -> bool:
    """Say whether each word of a setting is ours or from before; a kill between two of them leaves both."""
    texts = now, record.ours[name], record.before.get(name)
    words = zip_longest(*(text.split(" ") if text is not None else () for text in texts))
    return all(word in (ours, before) for word, ours, before in words)


def _take(lock: int) -> None:
    """Take a lock, or raise OSError if another process has it."""
    if sys.platform == "win32":  # pragma: no cover
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
