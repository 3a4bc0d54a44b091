"""The connection layer: global requests in order, channel requests, limits, loss."""

import pytest
from tests.unit.ssh.tools import connected, connections, inject, refused

from headrace.ssh import numbers
from headrace.ssh.connection import Connection
from headrace.ssh.wire import boolean, string, u32
from headrace.testing.peers import RecordingEndpoint, SshPair


def asked(pair: SshPair, *names: bytes) -> list[bytes | None]:
    answers: list[bytes | None] = []
    for name in names:
        connections(pair)[0].request(name, b"payload", answers.append)
    pair.run()
    return answers


def answer(name: bytes, payload: memoryview) -> bytes | None:
    return {b"yes": b"sure: " + bytes(payload), b"empty": b""}.get(name)


def test_requests_are_answered_in_order() -> None:
    pair = connected(answer=answer)
    answers = asked(pair, b"yes", b"no", b"empty", b"yes")
    assert answers == [b"sure: payload", None, b"", b"sure: payload"]
    assert connections(pair)[0].unanswered == 0


def test_requests_from_either_side() -> None:
    pair = connected(answer=answer)
    answers: list[bytes | None] = []
    connections(pair)[1].request(b"yes", b"", answers.append)
    assert connections(pair)[1].unanswered == 1
    pair.run()
    assert answers == [b"sure: "]


@pytest.mark.parametrize("name", [b"yes", b"no"])
def test_requests_that_want_no_reply_get_none(name: bytes) -> None:
    pair = connected(answer=answer)
    inject(
        pair.client,
        pair.server,
        bytes((numbers.GLOBAL_REQUEST,)) + string(name) + boolean(False) + b"payload",
    )
    assert not pair.server.take()


@pytest.mark.parametrize("number", [numbers.REQUEST_SUCCESS, numbers.REQUEST_FAILURE])
def test_answers_to_requests_never_made(number: int) -> None:
    pair = connected()
    with refused(2, "never made"):
        inject(pair.client, pair.server, bytes((number,)) + b"payload")


@pytest.mark.parametrize("size", range(1, 9))
def test_a_request_cut_short(size: int) -> None:
    whole = bytes((numbers.GLOBAL_REQUEST,)) + string(b"yes") + boolean(True)
    pair = connected(answer=answer)
    with refused(2):
        inject(pair.client, pair.server, whole[:size])


@pytest.mark.parametrize(("want", "replies"), [(True, [numbers.CHANNEL_FAILURE]), (False, [])])
def test_channel_requests_are_refused(want: bool, replies: list[int]) -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    heard: list[int] = []
    for number in (numbers.CHANNEL_SUCCESS, numbers.CHANNEL_FAILURE):
        pair.client.transport.table[number] = lambda payload: heard.append(payload[0])
    request = bytes((numbers.CHANNEL_REQUEST,)) + u32(channel.remote) + string(b"exec") + boolean(want)
    inject(pair.client, pair.server, request)
    pair.run()
    assert heard == replies


def test_too_many_channels_are_refused_and_the_others_live_on() -> None:
    pair = connected()
    connections(pair)[1]._max_channels = 3
    opened = [pair.open() for _ in range(5)]
    events = [endpoint.events for endpoint, _channel in opened]
    assert events[:3] == [[("opened",)]] * 3
    assert events[3:] == [[("refused", numbers.RESOURCE_SHORTAGE, "too many channels")]] * 2
    opened[0][1].close()
    pair.run()
    assert pair.open()[0].events == [("opened",)]


def test_the_limit_is_an_argument() -> None:
    pair = connected()
    connection = Connection(pair.server.transport, lambda channel, kind, extra: None, answer, max_channels=1)
    pair.server.connection = connection
    assert [pair.open()[0].events for _ in range(2)][1] == [
        ("refused", numbers.RESOURCE_SHORTAGE, "too many channels")
    ]


def test_loss_tells_everybody_once() -> None:
    pair = connected(accept=lambda channel, kind, extra: None)
    client = connections(pair)[0]
    answers: list[bytes | None] = []
    waiting, _channel = pair.open()
    client.request(b"never answered", b"", answers.append)
    error = OSError("gone")
    client.lost(error)
    client.lost(error)
    assert answers == [None]
    assert waiting.events == [("closed", error)]
    connections(pair)[1].lost(error)  # a channel that nobody has accepted yet has nobody to tell


def test_an_endpoint_that_opens_another_channel_when_refused() -> None:
    pair = connected(accept=lambda channel, kind, extra: channel.refuse(numbers.CONNECT_FAILED, ""))
    client = connections(pair)[0]
    second = RecordingEndpoint()

    class Stubborn(RecordingEndpoint):
        def refused(self, reason: int, text: str) -> None:
            client.open(b"again", b"", second)

    client.open(b"first", b"", Stubborn())
    pair.run()
    assert second.events == [("refused", numbers.CONNECT_FAILED, "")]
    assert not client.channels


@pytest.mark.parametrize("number", [0, 8, 60, 83, 101, 128, 192, 255])
def test_unknown_messages_are_answered_and_nothing_breaks(number: int) -> None:
    pair = connected(answer=answer)
    heard: list[int] = []
    pair.client.transport.table[numbers.UNIMPLEMENTED] = lambda payload: heard.append(payload[0])
    inject(pair.client, pair.server, bytes((number,)) + b"something")
    pair.run()
    assert heard == [numbers.UNIMPLEMENTED]
    assert asked(pair, b"empty") == [b""]


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_in_pieces(step: int) -> None:
    pair = connected(answer=answer)
    answers: list[bytes | None] = []
    client, server = connections(pair)
    endpoint = RecordingEndpoint()
    client.request(b"yes", b"1", answers.append)
    client.open(b"kind", b"extra", endpoint)
    server.request(b"no", b"", answers.append)
    pair.run(step)
    assert endpoint.events == [("opened",)]
    assert sorted(answers, key=str) == [None, b"sure: 1"]
