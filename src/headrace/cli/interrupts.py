"""Ctrl-C while code is being loaded: it ends the process, without a traceback.

An exception could come anywhere then, also where a library takes any exception for a module that is missing.
This is the first thing that is loaded, and needs next to nothing itself.
"""

import signal

__all__ = ["QuietInterrupts"]


class QuietInterrupts:
    """Have Ctrl-C end the process by the signal itself during the block, unless it is not heeded at all."""

    def __enter__(self) -> None:
        self._handler = signal.getsignal(signal.SIGINT)
        if self._handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *error: object) -> None:
        if self._handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handler)
