"""The tunnel protocols behind their contract: each layer against its counterpart, in pieces of every size."""

from collections.abc import Sequence

import pytest

from headrace.base.errors import OperatorError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS
from headrace.net.tunnel_socket import Layer, Opening, Refusal
from headrace.obfuscation.default_prefix import default_prefixes
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.obfuscation.seed_history import SeedMemory
from headrace.ssh.algorithms import OBFUSCATED, PLAIN
from headrace.transports import TUNNEL_PROTOCOLS, ClientSide, ServerSide, TunnelProtocol, tunnel_protocol

KEYWORD = b"keyword"
SSH_BYTES = b"SSH-2.0-OpenSSH_9.6\r\n"
every_protocol = pytest.mark.parametrize("protocol", TUNNEL_PROTOCOLS.values(), ids=list(TUNNEL_PROTOCOLS))
WAYS = pytest.mark.parametrize(
    ("protocol", "prefixes"),
    [("SSH", PrefixSpecs()), ("OSSH", PrefixSpecs()), ("OSSH", default_prefixes())],
    ids=["ssh", "ossh", "prefix"],
)


def client_layer(
    protocol: TunnelProtocol, prefixes: PrefixSpecs, seed: int = 1, keyword: bytes = KEYWORD
) -> Layer:
    rng = SeededRng(seed)
    return protocol.client_layer(ClientSide(keyword, rng, prefixes.draw(4001, rng)))


def server_layer(protocol: TunnelProtocol, prefixes: PrefixSpecs, memory: SeedMemory | None = None) -> Layer:
    seeds = SeedMemory() if memory is None else memory
    return protocol.server_layer(
        ServerSide(KEYWORD, SeededRng(2), prefixes, lambda seed: seeds.seen(seed, 0.0))
    )


def feed(layer: Layer, data: bytes, step: int) -> tuple[Opening | Refusal | None, bytes]:
    """Hand over `data` in pieces; return the layer's answer, and what came after it."""
    for start in range(0, len(data), step):
        if (answer := layer.receive(data[start : start + step])) is not None:
            return answer, data[start + step :]
    return None, b""


def joined(segments: Sequence[bytes]) -> bytes:
    return b"".join(segments)


def hide(opening: Opening, data: bytes) -> bytes:
    return data if opening.veil is None else opening.veil.hide(data)


def reveal(opening: Opening, data: bytes) -> bytes:
    return data if opening.veil is None else opening.veil.reveal(data)


def test_names_lead_to_protocols() -> None:
    assert {name: protocol.name for name, protocol in TUNNEL_PROTOCOLS.items()} == {
        "SSH": "SSH",
        "OSSH": "OSSH",
    }
    assert list(TUNNEL_PROTOCOLS) == ["SSH", "OSSH"]  # in selection order
    assert set(TUNNEL_PROTOCOLS) == set(IMPLEMENTED_PROTOCOLS)
    assert tunnel_protocol("OSSH") is TUNNEL_PROTOCOLS["OSSH"]


@pytest.mark.parametrize("name", ["", "ossh", "QUIC-OSSH", "\n"])
def test_an_unknown_name_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(OperatorError, match=r"it has SSH, OSSH$"):
        tunnel_protocol(name)


def test_only_the_obfuscated_one_hides_lengths() -> None:
    assert (tunnel_protocol("OSSH").offer, tunnel_protocol("OSSH").hide_lengths) == (OBFUSCATED, True)
    assert (tunnel_protocol("SSH").offer, tunnel_protocol("SSH").hide_lengths) == (PLAIN, False)


@WAYS
@pytest.mark.parametrize("step", [1, 7, 24, 1000, 1 << 20])
def test_both_ends_meet_whatever_the_pieces(protocol: str, prefixes: PrefixSpecs, step: int) -> None:
    chosen = tunnel_protocol(protocol)
    client, server = client_layer(chosen, prefixes), server_layer(chosen, prefixes)
    first = client.connected()
    assert first is not None  # clients speak first
    upward = joined(first.segments) + hide(first, SSH_BYTES)
    greeting = server.connected()
    answer, rest = feed(server, upward, step) if greeting is None else (greeting, upward)
    assert isinstance(answer, Opening)
    assert reveal(answer, answer.leftover + rest) == SSH_BYTES
    downward = joined(answer.segments) + hide(answer, SSH_BYTES)
    reply, rest = feed(client, downward, step)
    assert isinstance(reply, Opening)
    assert reply.veil is None  # the client began with it
    padding, found, text = reveal(first, reply.leftover + rest).rpartition(b"SSH-2.0-")
    assert found + text == SSH_BYTES
    assert padding == b"" or padding.endswith(b"\r\n")


@every_protocol
def test_the_obfuscated_server_does_not_speak_first(protocol: TunnelProtocol) -> None:
    opening = server_layer(protocol, PrefixSpecs()).connected()
    assert (opening is None) == protocol.hide_lengths


@pytest.mark.parametrize("prefixes", [PrefixSpecs(), default_prefixes()], ids=["bare", "prefix"])
def test_every_dial_begins_differently(prefixes: PrefixSpecs) -> None:
    openings = [client_layer(tunnel_protocol("OSSH"), prefixes, seed).connected() for seed in range(50)]
    texts = [joined(opening.segments) for opening in openings if opening is not None]
    assert len(set(texts)) == 50
    assert len({len(text) for text in texts}) > 40


def test_a_prefix_goes_out_alone_first() -> None:
    layer = client_layer(tunnel_protocol("OSSH"), default_prefixes())
    opening = layer.connected()
    assert opening is not None
    assert len(opening.segments) == 2
    assert opening.segments[0].startswith((b"GET ", b"POST "))


def test_a_seed_is_accepted_once_whichever_connection_brings_it() -> None:
    protocol, memory = tunnel_protocol("OSSH"), SeedMemory()
    opening = client_layer(protocol, PrefixSpecs()).connected()
    assert opening is not None
    data = joined(opening.segments)
    answers = [server_layer(protocol, PrefixSpecs(), memory).receive(data) for _ in range(3)]
    assert isinstance(answers[0], Opening)
    assert answers[1:] == [Refusal("seed seen before")] * 2


def test_strangers_are_refused_with_a_reason_that_names_nobody() -> None:
    protocol = tunnel_protocol("OSSH")
    foreign = client_layer(protocol, PrefixSpecs(), keyword=b"another").connected()
    assert foreign is not None
    for data in (joined(foreign.segments) + bytes(70_000), bytes(70_000), SeededRng(5).bytes(70_000)):
        answer = server_layer(protocol, PrefixSpecs()).receive(data)
        assert isinstance(answer, Refusal)
        assert 0 < len(answer.reason) < 60


@pytest.mark.parametrize("size", range(0, 24, 5))
def test_too_little_decides_nothing(size: int) -> None:
    assert server_layer(tunnel_protocol("OSSH"), PrefixSpecs()).receive(bytes(size)) is None


def test_a_client_whose_server_knows_no_prefixes_gives_up_in_the_end() -> None:
    client = client_layer(tunnel_protocol("OSSH"), default_prefixes())
    assert client.connected() is not None
    with pytest.raises(RemoteProtocolError):
        for _ in range(100):
            assert client.receive(SeededRng(1).bytes(1000)) is None


def test_padding_can_be_settled_at_both_ends() -> None:
    protocol, rng = tunnel_protocol("OSSH"), SeededRng(5)
    sizes = set()
    for padding in range(100, 104):
        opening = protocol.client_layer(ClientSide(KEYWORD, rng, padding=padding)).connected()
        assert opening is not None
        preamble = b"".join(opening.segments)
        sizes.add(len(preamble) - 24)
        server = protocol.server_layer(
            ServerSide(KEYWORD, rng, PrefixSpecs(), lambda seed: False, padding=(50, 50))
        )
        answer = server.receive(preamble)
        assert isinstance(answer, Opening)
        assert len(b"".join(answer.segments)) == 50
    assert sizes == {100, 101, 102, 103}
