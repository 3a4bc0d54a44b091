"""Go's binary time."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.go_time import ENCODED_SIZE, decode_time, encode_time, truncate_to_hour

# time.Date(2024, 1, 2, 3, 0, 0, 0, time.UTC).MarshalBinary()
KNOWN = bytes.fromhex("01 0000000edd257330 00000000 ffff")
UNIX = 1_704_164_400


def test_known_bytes() -> None:
    assert encode_time(UNIX) == KNOWN
    assert len(KNOWN) == ENCODED_SIZE
    assert decode_time(KNOWN) == UNIX


def test_before_1970_and_year_1() -> None:
    assert decode_time(encode_time(-5)) == -5
    assert decode_time(b"\x01" + bytes(12) + b"\xff\xff") == -62_135_596_800


@pytest.mark.parametrize("data", [b"", b"\x02" + KNOWN[1:], KNOWN[:-1], KNOWN + b"\0"])
def test_garbage(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_time(data)


@pytest.mark.parametrize(("moment", "hour"), [(UNIX, UNIX), (UNIX + 3599.9, UNIX), (UNIX - 0.1, UNIX - 3600)])
def test_truncates_to_the_hour(moment: float, hour: int) -> None:
    assert truncate_to_hour(moment) == hour


def test_a_keepalive_answer_of_a_deployed_server() -> None:
    reply = bytes.fromhex("0f 01 0000000ee294de50 00000000 ffff 6453efee")
    assert decode_time(reply[1 : 1 + reply[0]]) == 1_795_352_400
