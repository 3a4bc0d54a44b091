"""How far an attempt to reach a server has come: what it got to tells who stopped it.

dialling ──► connected ──► heard ──► keyed ──► logged in ──► live ──► active
"""

import enum

__all__ = ["Stage"]


class Stage(enum.IntEnum):
    """Each stage has those below it behind it."""

    DIALLING = 0  #: no TCP connection yet
    CONNECTED = 1  #: nothing has come from the server
    HEARD = 2  #: something has come
    KEYED = 3  #: keys are agreed with the server that the entry names
    LOGGED_IN = 4  #: the password is accepted
    LIVE = 5  #: the liveness test is passed, or there was none
    ACTIVE = 6  #: the API handshake is through: ready for use
