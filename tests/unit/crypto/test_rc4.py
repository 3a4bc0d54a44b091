from headrace.crypto import Rc4

# RFC 6229 §2: keys 0x0102030405 and 0x0102…10, keystream at offset 0.
SHORT = bytes.fromhex("b2396305f03dc027ccc3524a0a1118a8")
LONG = bytes.fromhex("9ac7cc9a609d1ef7b2932899cde41b97")


def test_known_keystreams() -> None:
    assert Rc4(bytes(range(1, 6))).update(bytes(16)) == SHORT
    assert Rc4(bytes(range(1, 17))).update(bytes(16)) == LONG


def test_stream_continues_over_calls_and_takes_views() -> None:
    stream = Rc4(bytes(range(1, 17)))
    pieces = [stream.update(b""), stream.update(bytes(3)), stream.update(memoryview(bytes(13)))]
    assert b"".join(pieces) == LONG
