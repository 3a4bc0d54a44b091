"""What an establishment is doing, and what moves it on: the table that code and drawings are made from."""

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["ENDINGS", "TRANSITIONS", "Happening", "State"]


class State(enum.Enum):
    """What is being done about dialling."""

    IDLE = "not begun"
    HEAD_START = "the server used last is dialled alone for a moment"
    DIALLING = "many are dialled at once"
    HOLDING = "enough are through: nobody else is dialled until their handshakes are"
    PAUSING = "everybody known was dialled: a pause before the next round"
    OFFLINE = "there is no network to dial over"
    FULL = "there are as many tunnels as wanted"
    GAVE_UP = "no tunnel in time"
    ABANDONED = "nobody wants a tunnel any more"


class Happening(enum.Enum):
    """What moves an establishment from one state to another."""

    BEGIN = "begin"
    FAVOURITE_DIALLED = "the favourite is dialled"
    FAVOURITE_OVER = "it failed, or its time alone is over"
    ENOUGH = "enough are through"
    NOT_ENOUGH = "one failed after all, or its handshake takes long"
    ROUND_OVER = "nobody is left, or the round took long"
    NEXT_ROUND = "the pause is over, or new servers are known"
    NETWORK_LOST = "the network is gone"
    NETWORK_BACK = "the network is back"
    COMPLETE = "the last handshake is through"
    TOO_LATE = "the time is up"
    ABANDON = "it is called off"


_S, _H = State, Happening
#: What may happen in any state that is no ending.
_ANYWHERE: Final = {_H.ABANDON: _S.ABANDONED}
#: What may happen once it has begun.
_BEGUN: Final = {_H.COMPLETE: _S.FULL, **_ANYWHERE}
#: What may happen besides while tunnels are looked for and time counts.
_ALWAYS: Final = {_H.ENOUGH: _S.HOLDING, _H.TOO_LATE: _S.GAVE_UP, **_BEGUN}

TRANSITIONS: Final[Mapping[State, Mapping[Happening, State]]] = {
    _S.IDLE: {_H.BEGIN: _S.DIALLING, **_ANYWHERE},
    _S.HEAD_START: {_H.FAVOURITE_OVER: _S.DIALLING, **_ALWAYS},
    _S.DIALLING: {
        _H.FAVOURITE_DIALLED: _S.HEAD_START,
        _H.ROUND_OVER: _S.PAUSING,
        _H.NETWORK_LOST: _S.OFFLINE,
        **_ALWAYS,
    },
    _S.PAUSING: {_H.NEXT_ROUND: _S.DIALLING, **_ALWAYS},
    _S.OFFLINE: {_H.NETWORK_BACK: _S.DIALLING, _H.ENOUGH: _S.HOLDING, **_BEGUN},
    _S.HOLDING: {_H.NOT_ENOUGH: _S.DIALLING, _H.TOO_LATE: _S.GAVE_UP, **_BEGUN},
    _S.FULL: {},
    _S.GAVE_UP: {},
    _S.ABANDONED: {},
}
"""From each state, what may happen and where it leads; nothing else is possible."""

ENDINGS: Final = frozenset(state for state, ways in TRANSITIONS.items() if not ways)
"""The states that nothing leads out of."""
