"""Memory to receive into: one for a thread, and another one for the next."""

import threading

from headrace.net.scratch import Scratch


def test_every_thread_has_its_own() -> None:
    scratch = Scratch(10)
    views = [scratch.view]
    thread = threading.Thread(target=lambda: views.append(scratch.view))
    thread.start()
    thread.join()
    here, there = views
    here[:] = b"0123456789"
    assert there == bytes(10)
    assert scratch.view is here
