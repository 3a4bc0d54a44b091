"""Memory to receive into, for all connections of a thread together.

It is asked for and filled in one step of the loop, so no other connection on the thread comes between. One on
another thread could: each has memory of its own.
"""

import threading

__all__ = ["Scratch"]


class Scratch(threading.local):
    """`view` is `size` bytes, the thread's own."""

    def __init__(self, size: int) -> None:
        self.view = memoryview(bytearray(size))
