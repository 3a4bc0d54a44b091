"""Port forwards of our own two ends are shaped unless one of them will not, and nobody else's are."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle

from headrace.base.rng import SeededRng
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay_record import ReplayRecord
from headrace.ssh.forwarding import Destination as Target
from headrace.ssh.shaping import MOST_DOWN, MOST_UP
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

ORIGIN = ("8.8.8.8", 443)
#: Sizes of a TLS handshake's messages, by turns up and down.
PLAIN = (517, 4500, 80, 300)
#: What one data message has around it, and the coarseness of padding.
AROUND = 44


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@dataclass
class Forward:
    """A port forward that has had a conversation, and what each message came to on the wire."""

    tunnel: Tunnel
    sizes: list[int]
    intact: bool


async def converse(
    network: Network, server: MemoryServer, *, shaped: bool = True, first: bytes = b"\x16\x03\x01"
) -> Forward:
    """Exchange the messages of a handshake through a port forward; of the first, `first` is the beginning."""
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    tunnel = make_tunnel(server.entry, rng=SeededRng(5))
    if not shaped:
        tunnel.dial_parameters = unshaped(tunnel)
    await tunnel.connect()
    await tunnel.handshake()
    near = RecordingEndpoint()
    tunnel.open(Target(*ORIGIN), near)
    await settle()
    sizes, said, heard = [], b"", b""
    for number, size in enumerate(PLAIN):
        before = sum(tunnel.bytes_transferred)
        data = first.ljust(size, b"\0") if not number else bytes((number,)) * size
        if number % 2:
            origin.send(data)
            heard += data
        else:
            near.send(data)
            said += data
        await settle()
        sizes.append(sum(tunnel.bytes_transferred) - before)
    return Forward(tunnel, sizes, (bytes(near.received), bytes(origin.received)) == (heard, said))


def unshaped(tunnel: Tunnel) -> DialParameters:
    config = b'{"PropagationChannelId": "F", "SponsorId": "F", "DisableStreamShaping": true}'
    settings = DialSettings.from_config(read_client_config(config))
    return choose(tunnel.dial_parameters.entry, "OSSH", SeededRng(5), settings=settings)


async def test_streams_are_shaped_by_default(network: Network, tmp_path: Path) -> None:
    forward = await converse(network, MemoryServer(network, tmp_path))
    assert forward.intact
    hello, flight, finished, answer = forward.sizes
    assert hello > 900
    assert flight > 4500 + 2 * AROUND
    assert finished > 900
    assert answer >= 400
    assert sum(forward.sizes) - 5397 - 5 * AROUND <= MOST_UP + MOST_DOWN
    forward.tunnel.close()


async def test_what_is_not_tls_is_carried_as_it_comes(network: Network, tmp_path: Path) -> None:
    forward = await converse(network, MemoryServer(network, tmp_path), first=b"POST /")
    assert forward.intact
    assert all(size <= found <= size + AROUND for size, found in zip(PLAIN, forward.sizes, strict=True))
    forward.tunnel.close()


@pytest.mark.parametrize("who", ["client", "server"])
async def test_either_end_can_have_it_off(network: Network, tmp_path: Path, who: str) -> None:
    server = MemoryServer(network, tmp_path, DisableStreamShaping=who == "server")
    forward = await converse(network, server, shaped=who == "server")
    assert forward.intact
    assert all(size <= found <= size + AROUND for size, found in zip(PLAIN, forward.sizes, strict=True))
    forward.tunnel.close()


def test_a_dial_that_is_made_again_shapes_alike(network: Network, tmp_path: Path) -> None:
    entry = MemoryServer(network, tmp_path).entry
    first, other = (choose(entry, "OSSH", SeededRng(seed)) for seed in (1, 2))
    assert first.shaping is not None
    assert first.shaping != other.shaping
    assert ReplayRecord.of(first, "", 0.0).apply(other).shaping == first.shaping
