"""A proxy's NTLM challenge: any bytes get an answer with NTLMv2 or are impossible to answer."""

import base64

from headrace.base.rng import SeededRng
from headrace.codec.http_challenges import Challenge
from headrace.codec.http_login_way import Identity, Impossible
from headrace.codec.ntlm import Ntlm

SEEDS = [
    bytes.fromhex(
        "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000"
        "060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c005300650072007600"
        "6500720000000000"
    ),
    b"NTLMSSP\0\x02\0\0\0" + bytes(36),
]


def fuzz(data: bytes) -> None:
    """`data` is the challenge."""
    way = Ntlm(Identity("CORP\\ann", "s3cret", "proxy.example"), SeededRng(1))
    way.challenged([Challenge("ntlm")], closing=False)
    try:
        way.challenged([Challenge("ntlm", base64.b64encode(data).decode())], closing=False)
    except Impossible:
        return
    answer = base64.b64decode(way.authorization("a.example:80").removeprefix("NTLM "))
    assert answer.startswith(b"NTLMSSP\0\x03\0\0\0")
    assert int.from_bytes(answer[20:22], "little") > 24  # the old version's answer has 24 bytes
    assert len(answer) < 2 * len(data) + 1000
