"""NTLM: three messages, the proof in the last of them, and what makes it impossible.

The user, the key and the challenge are those of MS-NLMP §4.2.4.
"""

import base64
import hashlib
import hmac
import logging
import os
import socket
import struct
import subprocess
import sys

import pytest

from headrace.base.rng import SeededRng
from headrace.codec.http_challenges import Challenge
from headrace.codec.http_login_way import Identity, Impossible
from headrace.codec.ntlm import Ntlm

OFFER = [Challenge("ntlm")]
#: MS-NLMP §4.2.4.1.1: NTOWFv2 of the user below.
RESPONSE_KEY = bytes.fromhex("0c868a403bfd7a93a3001ef22ef02e3f")
SERVER_CHALLENGE = bytes.fromhex("0123456789abcdef")
#: MS-NLMP §4.2.4.3.
CHALLENGE = bytes.fromhex(
    "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000"
    "060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c005300650072007600"
    "6500720000000000"
)
NAMES = bytes.fromhex("02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000")


def ntlm(user: str = r"Domain\User", password: str = "Password") -> Ntlm:
    return Ntlm(Identity(user, password, "proxy.example"), SeededRng(1))


def offer(message: bytes) -> list[Challenge]:
    return [Challenge("ntlm", base64.b64encode(message).decode())]


def message(way: Ntlm) -> bytes:
    scheme, _, data = way.authorization("list.example:443").partition(" ")
    assert scheme == "NTLM"
    return base64.b64decode(data, validate=True)


def field(authenticate: bytes, number: int) -> bytes:
    """Return a field of an AUTHENTICATE_MESSAGE (MS-NLMP §2.2.1.3), counted from 0."""
    size, _, offset = struct.unpack_from("<HHI", authenticate, 12 + 8 * number)
    return authenticate[offset : offset + size]


def answered(challenge: bytes = CHALLENGE) -> bytes:
    way = ntlm()
    assert way.challenged(OFFER, closing=True)  # a first message may be the first on another connection
    negotiate = message(way)
    assert negotiate[:12] == b"NTLMSSP\0\x01\0\0\0"
    assert way.challenged(offer(challenge), closing=False)
    return message(way)


def test_the_proof() -> None:
    authenticate = answered()
    assert authenticate[:12] == b"NTLMSSP\0\x03\0\0\0"
    lm, nt, domain, user, workstation = (field(authenticate, number) for number in range(5))
    assert domain.decode("utf-16-le") == "Domain"
    assert user.decode("utf-16-le") == "User"
    assert workstation.decode("utf-16-le") == "WORKSTATION"
    proof, blob = nt[:16], nt[16:]
    assert blob[:8] == b"\x01\x01" + bytes(6)  # NTLMv2
    assert proof == hmac.new(RESPONSE_KEY, SERVER_CHALLENGE + blob, hashlib.md5).digest()
    ours = blob[16:24]
    assert lm == hmac.new(RESPONSE_KEY, SERVER_CHALLENGE + ours, hashlib.md5).digest() + ours
    assert "HTTP/proxy.example".encode("utf-16-le") in blob


def test_this_machine_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "anns-laptop")
    monkeypatch.setenv("NETBIOS_COMPUTER_NAME", "ANNS-LAPTOP")
    assert "ANNS-LAPTOP".encode("utf-16-le") not in answered().upper()
    assert os.environ["NETBIOS_COMPUTER_NAME"] == "ANNS-LAPTOP"


def test_no_setting_brings_the_old_version_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LM_COMPAT_LEVEL", "0")
    assert len(field(answered(), 1)) > 24
    assert os.environ["LM_COMPAT_LEVEL"] == "0"


def test_nothing_is_left_in_the_environment() -> None:
    before = dict(os.environ)
    answered()
    assert dict(os.environ) == before


def test_messages_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answered()
    assert caplog.records == []


def test_a_refusal_is_final() -> None:
    for refusal in (OFFER, offer(CHALLENGE), []):
        way = ntlm()
        way.challenged(OFFER, closing=False)
        way.challenged(offer(CHALLENGE), closing=False)
        assert not way.challenged(refusal, closing=False)


def test_another_connection_begins_again() -> None:
    way = ntlm()
    way.challenged(OFFER, closing=False)
    first = message(way)
    way.challenged(offer(CHALLENGE), closing=False)
    way.reconnected()
    assert message(way) == first
    assert way.challenged(offer(CHALLENGE), closing=False)
    assert message(way)[8] == 3


@pytest.mark.parametrize(
    "offers",
    [
        [],
        OFFER,
        [Challenge("ntlm", "no base64!")],
        [Challenge("ntlm", "=")],
        offer(b""),
        offer(b"NTLMSSP\0"),
        offer(CHALLENGE[:40]),
        offer(CHALLENGE.replace(b"NTLMSSP", b"KERBEROS")),
        offer(CHALLENGE.replace(NAMES, b"\x02\0\x03\0" + NAMES[4:])),
        offer(b"NTLMSSP\0\x01\0\0\0" + CHALLENGE[12:]),
        offer(bytes(40_000)),
    ],
)
def test_what_is_no_challenge(offers: list[Challenge]) -> None:
    way = ntlm()
    way.challenged(OFFER, closing=False)
    with pytest.raises(Impossible):
        way.challenged(offers, closing=False)


def test_a_challenge_on_a_connection_that_closes() -> None:
    way = ntlm()
    way.challenged(OFFER, closing=False)
    with pytest.raises(Impossible):
        way.challenged(offer(CHALLENGE), closing=True)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spnego", None)
    with pytest.raises(Impossible):
        ntlm().challenged(OFFER, closing=False)


@pytest.mark.parametrize("user", [r"CORP\ann", "ann@corp.example", "ann", "änn"])
def test_users(user: str) -> None:
    way = ntlm(user, "пароль-😀-long-enough-for-two-halves")
    way.challenged(OFFER, closing=False)
    assert way.challenged(offer(CHALLENGE), closing=False)
    authenticate = message(way)
    domain, _, name = user.rpartition("\\")
    assert field(authenticate, 2).decode("utf-16-le") == domain
    assert field(authenticate, 3).decode("utf-16-le") == name


def test_the_library_is_loaded_only_when_a_proxy_wants_it() -> None:
    code = (
        "import sys, headrace.net.upstream_proxy; sys.exit('spnego' in sys.modules or 'idna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
