"""SOCKS: any bytes end in a request, a Refused or a wish for more, and cutting the stream changes nothing."""

from headrace.codec.socks import Event, Reply, SocksParser

SEEDS = [
    b"\x05\x01\x00\x05\x01\x00\x03\x09a.example\x01\xbbpayload",
    b"\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50",
    b"\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\xd9\x03",
    b"\x04\x01\x00\x50\x00\x00\x00\x01user\x00a.example\x00payload",
]


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
