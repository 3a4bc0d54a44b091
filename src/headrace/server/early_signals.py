"""Signals that come before there is anybody to heed them.

A person's orders to a server are signals that end, or stop, a process that has no handler for them: one that
still loads its code, and each worker, which takes orders from its supervisor alone but gets every signal that
is sent to all processes of a service.
"""

import signal

__all__ = ["ignore_orders"]


def ignore_orders() -> None:
    """Let such orders pass from now on, until there are handlers: who starts reads its files anyway."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
