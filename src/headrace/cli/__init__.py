"""The `headrace` command: parsing and printing only. What a subcommand takes is imported when it is used."""

import contextlib
import signal
import sys
from collections.abc import Iterator

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C ends it without a traceback at any moment, the loading of code included."""
    with _quiet_interrupts():
        from headrace.cli.root import main as run
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _quiet_interrupts() -> Iterator[None]:
    """Have Ctrl-C end the process by the signal itself, unless it is not heeded at all."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, handler)
