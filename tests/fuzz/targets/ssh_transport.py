"""A whole transport machine, server or client, fed anything: RemoteProtocolError, or it waits for more."""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh.algorithms import KexInit, Offer
from headrace.ssh.clear import clear_packet
from headrace.testing.peers import Peer, SshPair

OFFER = Offer(
    kex=("curve25519-sha256",), host_keys=("ssh-ed25519",), ciphers=("aes128-gcm@openssh.com",), macs=()
)
LINE = b"SSH-2.0-fuzz\r\n"
INIT = KexInit.from_offer(OFFER, SeededRng(1), client=True, first=True).encode()
KEX_INIT = b"\x1e\x00\x00\x00\x20" + bytes(31) + b"\x09"


def script(*payloads: bytes) -> bytes:
    return b"".join(len(payload).to_bytes(2, "big") + payload for payload in payloads)


SEEDS = [
    b"\x00" + LINE + clear_packet(INIT, SeededRng(1), None),
    b"\x01noise\r\n" + LINE + clear_packet(INIT, SeededRng(1), None),
    b"\x02" + script(INIT, KEX_INIT, b"\x15"),
    b"\x03" + script(INIT, b"\x1f" + bytes(40), b"\x15"),
    b"\x04" + script(b"\x05\x00\x00\x00\x0cssh-userauth", b"\x32" + bytes(20)),
    b"\x04" + script(b"\x14" + INIT[1:], KEX_INIT, b"\x15"),
    b"\x05" + script(b"\x06", b"\x33" + bytes(5), b"\x34"),
    b"\x06" + script(b"\x50\x00\x00\x00\x01x\x01", b"\x5a\x00\x00\x00\x01x" + bytes(10) + b"\xff\xff"),
]


def payloads(data: bytes) -> list[bytes]:
    """Cut a script into payloads, each behind its length in two bytes."""
    found = []
    while len(data) > 2:
        size = int.from_bytes(data[:2], "big")
        found.append(data[2 : 2 + size] or b"\0")
        data = data[2 + size :]
    return found


def fuzz(data: bytes) -> None:
    """The first byte picks the state: raw bytes, packets before the keys, before the log-in, or after it."""
    if not data:
        return
    mode, rest = data[0] % 8, data[1:]
    pair = SshPair(client_offer=OFFER, server_offer=OFFER)
    sender, receiver = (pair.client, pair.server) if mode % 2 == 0 else (pair.server, pair.client)
    if mode in (4, 5):
        sender.transport.ready = lambda: None
    pair.start()
    if mode >= 4:
        pair.run()
    try:
        if mode < 2:
            receiver.feed(rest)
        elif mode < 4:
            receiver.feed(LINE + b"".join(clear_packet(one, SeededRng(1), None) for one in payloads(rest)))
        else:
            for payload in payloads(rest):
                sender.transport._put(payload)
                receiver.feed(sender.take())
    except RemoteProtocolError:
        pass
    check(receiver, len(data))


def check(receiver: Peer, fed: int) -> None:
    """Nothing is multiplied: what we answer and keep is bounded by what came."""
    assert receiver.transport.pending < 4000 + 40 * fed
    assert receiver.transport._held_bytes < 4000 + 40 * fed
