"""What a run of the client is at, as a whole: the table that code and drawings are made from."""

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["TRANSITIONS", "Phase", "Turn"]


class Phase(enum.Enum):
    """What a run is at."""

    STARTING = "the local proxies are opened"
    ESTABLISHING = "no tunnel: servers are dialled"
    FILLING = "applications are served, and servers are dialled for more tunnels if more are wanted"
    OPERATING = "applications are served"
    STOPPING = "last reports are sent, tunnels are closed"
    ENDED = "nothing is left"


class Turn(enum.Enum):
    """What takes a run from one phase to another."""

    LISTENING = "the proxies listen"
    GAINED = "a tunnel is ready"
    COMPLETE = "there are as many as wanted"
    LOST_ONE = "a tunnel is lost, others are left"
    LOST_LAST = "the last tunnel is lost"
    STOP = "asked to stop, or no tunnel in time"
    DONE = "all is closed"


_P, _T = Phase, Turn

TRANSITIONS: Final[Mapping[Phase, Mapping[Turn, Phase]]] = {
    _P.STARTING: {_T.LISTENING: _P.ESTABLISHING, _T.STOP: _P.STOPPING},
    _P.ESTABLISHING: {_T.GAINED: _P.FILLING, _T.STOP: _P.STOPPING},
    _P.FILLING: {
        _T.GAINED: _P.FILLING,
        _T.COMPLETE: _P.OPERATING,
        _T.LOST_ONE: _P.FILLING,
        _T.LOST_LAST: _P.ESTABLISHING,
        _T.STOP: _P.STOPPING,
    },
    _P.OPERATING: {_T.LOST_ONE: _P.FILLING, _T.LOST_LAST: _P.ESTABLISHING, _T.STOP: _P.STOPPING},
    _P.STOPPING: {_T.DONE: _P.ENDED},
    _P.ENDED: {},
}
"""From each phase, what may happen and where it leads."""
