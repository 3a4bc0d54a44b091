"""Ignored messages at both ends of shaping, while streams are open.

Invariant: RemoteProtocolError for a policy that cannot be followed, and nothing else. Nobody is made to send
more than what is allowed for the streams there are.
"""

from typing import Any

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.connection import Connection
from headrace.ssh.shaper import ClientShaper, ServerShaper
from headrace.ssh.shaping import MOST_DOWN, MOST_UP, SEED_SIZE, Policy, filler, offer, policy_message
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.testing.peers import RecordingEndpoint

STREAMS = 3
HELLO = b"\x16\x03\x01"
POLICY = Policy.draw(SeededRng(1))


class Noting(Transport):
    """A transport that notes what it is to send."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.said: list[bytes] = []

    def send(self, payload: bytes) -> None:
        self.said.append(payload)


def script(*payloads: bytes) -> bytes:
    return b"".join(bytes((len(payload),)) + payload for payload in payloads)


SEEDS = [
    script(offer(0), filler(0, 500, 300), filler(0, 1, 1, is_answer=True), filler(0, is_answer=True)),
    script(
        policy_message(Policy(bytes(SEED_SIZE), POLICY.up), 0), filler(0, 0xFFFF), filler(0, is_answer=True)
    ),
    script(b"\x02", b"\x02\x00\x00\x00\x0a\x03shaping-1"),
]


def fuzz(data: bytes) -> None:
    """Payloads, each behind its length in one byte, for the client's end and for the server's."""
    for role in Role:
        transport = Noting(TransportConfig(role, b"SSH-2.0-x"), SeededRng(1), lambda: None)
        client, rng = role is Role.CLIENT, SeededRng(2)
        shaper = ClientShaper(transport, POLICY) if client else ServerShaper(transport, rng)
        connection = Connection(transport, lambda channel, kind, extra: None, lambda name, payload: None)
        transport.said.clear()
        rest, heard = data, 0
        try:
            while rest:
                payload, rest = rest[1 : 1 + rest[0]] or b"\2", rest[1 + rest[0] :]
                transport.table[numbers.IGNORE](memoryview(payload))
                heard += 1
                if heard <= STREAMS:
                    channel = Channel(connection, heard, RecordingEndpoint())
                    channel.agree(heard, 1 << 20, 1 << 15)
                    shaper.begin(channel)
                    if not client:
                        channel.on_data(memoryview(HELLO))
                    channel.send(HELLO.ljust(min(channel.room, 3000), b"\0"))
        except RemoteProtocolError:
            assert not client
        answers = [message for message in transport.said if message[0] == numbers.IGNORE]
        assert sum(map(len, answers)) <= (2 * STREAMS + 1) * (MOST_UP + MOST_DOWN) + 10 * (
            heard + 2 * STREAMS
        )
