"""SOCKS: any bytes end in a Request, a Refused or a wish for more, and cutting the stream changes nothing."""

from headrace.codec.socks import Event, Reply, SocksParser


def fuzz(data: bytes) -> None:
    """`data` is what a local program sends."""
    whole = SocksParser()
    events = whole.receive(data)
    assert whole.finished == bool(events and not isinstance(events[-1], Reply))
    assert all(isinstance(event, Reply) for event in events[:-1])

    bytewise = SocksParser()
    again: list[Event] = []
    for position in range(len(data)):
        if bytewise.finished:
            break
        again += bytewise.receive(data[position : position + 1])
    assert [type(event) for event in again] == [type(event) for event in events]
