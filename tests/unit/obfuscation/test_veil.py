from collections import Counter

import pytest

from headrace.base.rng import SeededRng
from headrace.crypto import Rc4
from headrace.obfuscation import Veil


def make_pair() -> tuple[Veil, Veil]:
    up, down = b"u" * 16, b"d" * 16
    return Veil(Rc4(up), Rc4(down), SeededRng(1)), Veil(Rc4(down), Rc4(up), SeededRng(2))


def test_each_direction_is_one_stream() -> None:
    client, server = make_pair()
    assert server.reveal(client.hide(b"SSH-2.0-a\r\n")) == b"SSH-2.0-a\r\n"
    assert client.reveal(server.hide(b"SSH-2.0-b\r\n")) == b"SSH-2.0-b\r\n"
    hidden = client.hide(b"more") + client.hide(memoryview(b" bytes"))
    assert server.reveal(hidden[:3]) + server.reveal(memoryview(hidden)[3:]) == b"more bytes"


def test_extra_padding_is_uniform_up_to_255_in_all() -> None:
    veil, _ = make_pair()
    counts = Counter(veil.extra_padding(5) for _ in range(25_100))
    assert set(counts) == set(range(251))
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 370


@pytest.mark.parametrize("padding", [255, 256])
def test_no_room_for_extra_padding(padding: int) -> None:
    veil, _ = make_pair()
    assert {veil.extra_padding(padding) for _ in range(20)} == {0}


def test_legacy_peer_gets_whole_blocks() -> None:
    veil, _ = make_pair()
    veil.peer_identification(b"SSH-2.0-Ganymed Build_210")
    drawn = {veil.extra_padding(10) for _ in range(2000)}
    assert drawn == set(range(0, 246, 16))


def test_other_peers_do_not() -> None:
    veil, _ = make_pair()
    veil.peer_identification(b"SSH-2.0-OpenSSH_9.6")
    assert any(veil.extra_padding(10) % 16 for _ in range(50))
