"""What people are told while a file cannot be read or written: that it began, and that it is over."""

from collections.abc import Callable

__all__ = ["Outages"]

_RECOVERED = 3  # successes in a row: on a disk that is almost full, small writes pass between others


class Outages:
    """Keeps count for each thing that can fail, `read` and `written`; `notify` takes sentences for people."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._successes: dict[str, int] = {}  # since the last failure, of what fails

    def failed(self, what: str, error: Exception) -> None:
        """Tell of the failure if it is a new one."""
        if what not in self._successes:
            self._notify(f"the client store cannot be {what} ({error}); the client goes on without")
        self._successes[what] = 0

    def succeeded(self, what: str) -> None:
        """Tell of the outage's end when it has lasted for a while."""
        if what in self._successes:
            self._successes[what] += 1
            if self._successes[what] == _RECOVERED:
                del self._successes[what]
                self._notify(f"the client store can be {what} again")
