"""The flows of a udpgw channel, as its client counts them: a number for each pair of ends.

The numbers are few and are used again. One that was given back is taken as late as possible, and when none is
free, the flow that was idle longest gives up its own. What still comes for that flow is told by its sender.
"""

from collections import deque
from typing import Final, Protocol

from headrace.codec.udpgw import connection_id, datagram_from, encode_head

__all__ = ["MAX_FLOWS", "Flow", "FlowTable", "Owner"]

#: Flows at once. Deployed clients have 256.
MAX_FLOWS: Final = 2048

_Pair = tuple["Owner", bytes, int, bool]


class Owner(Protocol):
    """The near end of flows."""

    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        """A datagram has come from the far end at that address, of 4 or 16 bytes."""
        ...


class Flow:
    """One pair of ends. Until it has `begun`, the server is told to forget the number's older flow."""

    __slots__ = ("_begun", "_first_head", "_head", "address", "number", "owner", "pair", "port", "waiting")

    def __init__(self, number: int, pair: _Pair) -> None:
        self.number = number
        self.pair = pair
        self.owner, self.address, self.port, dns = pair
        self.waiting = 0
        self._first_head = encode_head(number, self.address, self.port, rebind=True, dns=dns)
        self._head = encode_head(number, self.address, self.port, dns=dns)
        self._begun = False

    @property
    def head(self) -> bytes:
        """What goes before the next datagram."""
        return self._head if self._begun else self._first_head

    def begun(self) -> None:
        """A datagram is on its way."""
        self._begun = True


class FlowTable:
    """At most `most` flows."""

    def __init__(self, most: int = MAX_FLOWS) -> None:
        self._free = deque(range(most))
        self._flows: dict[_Pair, Flow] = {}  # least recently used first
        self._numbers: dict[int, Flow] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def outgoing(self, owner: Owner, address: bytes, port: int, *, dns: bool) -> Flow:
        """Return the flow between two ends, new if need be; it is in use now."""
        pair = (owner, address, port, dns)
        flow = self._flows.pop(pair, None)
        if flow is None:
            if not self._free:
                self._end(next(iter(self._flows.values())))
            number = self._free.popleft()
            flow = self._numbers[number] = Flow(number, pair)
        self._flows[pair] = flow
        return flow

    def incoming(self, message: bytes) -> tuple[Flow, bytes] | None:
        """Return the flow that a message from the server is for, if there is one, and the datagram in it.

        The flow is in use now.
        """
        flow = self._numbers.get(connection_id(message))
        datagram = datagram_from(message, flow.address, flow.port) if flow is not None else None
        if flow is None or datagram is None:
            return None
        self._flows[flow.pair] = self._flows.pop(flow.pair)
        return flow, datagram

    def release(self, owner: Owner) -> None:
        """End all flows of one owner."""
        for flow in [flow for flow in self._flows.values() if flow.owner is owner]:
            self._end(flow)

    def _end(self, flow: Flow) -> None:
        del self._flows[flow.pair], self._numbers[flow.number]
        self._free.append(flow.number)
