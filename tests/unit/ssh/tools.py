"""What the SSH tests share: connected pairs, hostile payloads, and a record of what each direction sealed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.algorithms import PLAIN, Offer
from headrace.ssh.connection import Connection
from headrace.ssh.protection import ChaChaSealer, Sealer
from headrace.testing.peers import Peer, SshPair

#: Quick to run and of constant length on the wire.
QUICK = Offer(
    kex=("curve25519-sha256",), host_keys=("ssh-ed25519",), ciphers=("aes128-gcm@openssh.com",), macs=()
)
CHACHA = replace(QUICK, ciphers=("chacha20-poly1305@openssh.com",))


def quick_pair(offer: Offer = QUICK, **options: Any) -> SshPair:
    """Return a pair that has not spoken yet; both sides make the same offer."""
    return SshPair(client_offer=offer, server_offer=offer, **options)


def connected(offer: Offer = QUICK, **options: Any) -> SshPair:
    """Return a pair that has logged in."""
    pair = quick_pair(offer, **options).start()
    pair.run()
    assert pair.outcome is True
    return pair


def connections(pair: SshPair) -> tuple[Connection, Connection]:
    """Return the client's and the server's connection layer."""
    assert pair.client.connection is not None and pair.server.connection is not None
    return pair.client.connection, pair.server.connection


def inject(sender: Peer, receiver: Peer, *payloads: bytes) -> None:
    """Let one side send payloads that its own code would never send; raises what the other side raises."""
    for payload in payloads:
        sender.transport._put(payload)
    receiver.feed(sender.take())


@contextmanager
def refused(code: int = 2, match: str | None = None) -> Iterator[None]:
    """Expect a RemoteProtocolError with this code."""
    with pytest.raises(RemoteProtocolError, match=match) as caught:
        yield
    assert caught.value.code == code


@contextmanager
def sealed_numbers() -> Iterator[Callable[[], list[list[int]]]]:
    """Record the message numbers that each set of keys seals, one list per key, in order of first use."""
    log: dict[int, list[int]] = {}
    keep: list[Sealer] = []
    original, quick = Sealer.seal_into, ChaChaSealer.seal

    def note(sealer: Sealer, number: int) -> None:
        if id(sealer) not in log:
            log[id(sealer)] = []
            keep.append(sealer)
        log[id(sealer)].append(number)

    def recording(
        self: Sealer, scratch: memoryview, start: int, end: int, out: memoryview, clean: bool
    ) -> int:
        note(self, scratch[start])
        return original(self, scratch, start, end, out, clean)

    def recording_quick(self: ChaChaSealer, payload: bytes) -> bytes:
        note(self, payload[0])
        return quick(self, payload)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sealer, "seal_into", recording)
        patch.setattr(ChaChaSealer, "seal", recording_quick)
        yield lambda: list(log.values())


def plain_offer(**changes: Any) -> Offer:
    """Return the plain offer with some lists replaced."""
    return replace(PLAIN, **changes)
