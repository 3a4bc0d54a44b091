"""What an authorization must be to count; tests/vectors has those of deployed issuers."""

import base64
import json
from typing import Any

import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.crypto.signing import SigningKey
from headrace.documents.authorizations import AuthorizationKey, KeyRing, VerificationKey, expiry_text

NOW = 1_700_000_000.0
KEY = AuthorizationKey.generate("speed-boost", SeededRng(1))
OTHER = AuthorizationKey.generate("speed-boost", SeededRng(2))
RING = KeyRing(keys=[OTHER.verification_key, KEY.verification_key])


def signed(inner: object, key: AuthorizationKey = KEY, **change: Any) -> str:
    """Return `inner` signed as if it were an authorization."""
    text = inner if isinstance(inner, str) else json.dumps(inner)
    signature = SigningKey(key.private_key[:32]).sign(text.encode())
    outer = {
        "SigningKeyID": base64.b64encode(key.id).decode(),
        "Signature": base64.b64encode(signature).decode(),
    }
    members = [
        f'"Authorization":{text}',
        *(f'"{name}":{json.dumps(value)}' for name, value in {**outer, **change}.items()),
    ]
    return base64.b64encode(("{" + ",".join(members) + "}").encode()).decode()


INNER = {"ID": "aWQ=", "AccessType": "speed-boost", "Expires": "2030-01-02T03:04:05Z"}


def test_what_was_issued_is_verified() -> None:
    text, identity = KEY.issue(b"order 17", NOW + 60.5)
    authorization = RING.verify(text, NOW)
    assert (authorization.id, authorization.access_type) == (identity, "speed-boost")
    assert authorization.expires == int(NOW + 60)


def test_the_id_belongs_to_the_purchase_and_the_key() -> None:
    assert KEY.issue(b"a", NOW)[1] == KEY.issue(b"a", NOW + 60)[1]
    assert len({KEY.issue(b"a", NOW)[1], KEY.issue(b"b", NOW)[1], OTHER.issue(b"a", NOW)[1]}) == 3


@pytest.mark.parametrize(("expires", "good"), [(NOW + 1, True), (NOW, False), (NOW - 1, False)])
def test_it_holds_until_it_expires(expires: float, good: bool) -> None:
    text, _ = KEY.issue(b"a", expires)
    if good:
        RING.verify(text, NOW)
    else:
        with pytest.raises(DocumentError, match="expired"):
            RING.verify(text, NOW)


@pytest.mark.parametrize("text", ["2030-01-02T03:04:05.123456789Z", "2030-01-02T03:04:05+01:00"])
def test_times_in_other_forms(text: str) -> None:
    assert RING.verify(signed({**INNER, "Expires": text}), NOW).expires > NOW


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no authorization"),
        ("*", "no authorization"),
        ("e30=", "no authorization"),
        (base64.b64encode(b"[" * 2000).decode(), "no authorization"),
        ("A" * 5000, "characters"),
        (signed(INNER, AuthorizationKey.generate("speed-boost", SeededRng(3))), "not on the ring"),
        (signed(INNER, Signature=base64.b64encode(bytes(64)).decode()), "bad signature"),
        (signed(INNER, Signature=base64.b64encode(bytes(63)).decode()), "bad signature"),
        (signed(INNER, SigningKeyID=base64.b64encode(OTHER.id).decode()), "bad signature"),
        (signed({}), "no authorization"),
        (signed("[]"), "no authorization"),
        (signed({**INNER, "ID": ""}), "without an ID"),
        (signed({**INNER, "AccessType": "other"}), "another access type"),
        (signed({**INNER, "Expires": ""}), "without a time"),
        (signed({**INNER, "Expires": "2030-01-02"}), "without a time"),
        (signed({**INNER, "Expires": "2030-13-02T03:04:05Z"}), "no real time"),
        (signed({**INNER, "Expires": "0001-01-01T00:00:00+23:59"}), "no real time|expired"),
    ],
)
def test_what_does_not_count(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        RING.verify(text, NOW)


def test_only_what_was_signed_counts() -> None:
    text, _ = KEY.issue(b"a", NOW + 60)
    raw = base64.b64decode(text)
    for change in (
        (b"speed-boost", b"speed-boosT"),
        (b'"Expires":"2', b'"Expires":"3'),
        (b'{"ID"', b'{ "ID"'),
    ):
        with pytest.raises(DocumentError, match="bad signature"):
            RING.verify(base64.b64encode(raw.replace(*change)).decode(), NOW)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": b"short"}, "32 bytes"),
        ({"access_type": ""}, "AccessType"),
        ({"public_key": bytes(31)}, r"Keys\[1\].PublicKey"),
    ],
)
def test_rings_that_cannot_be(change: dict[str, Any], problem: str) -> None:
    bad = msgspec.structs.replace(KEY.verification_key, **change)
    with pytest.raises(DocumentError, match=problem):
        KeyRing(keys=[OTHER.verification_key, bad]).check()


@pytest.mark.parametrize("change", [{"id": b""}, {"authorization_id_key": b""}, {"private_key": bytes(64)}])
def test_keys_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        msgspec.structs.replace(KEY, **change).check()


@pytest.mark.parametrize("name", ["", "a b", "a&b", "ü", "a" * 65])
def test_access_types_that_json_writers_differ_about(name: str) -> None:
    with pytest.raises(DocumentError, match="AccessType"):
        AuthorizationKey.generate(name, SeededRng(1))


def test_a_key_shows_no_secret() -> None:
    assert repr(KEY) == "AuthorizationKey(access_type='speed-boost')"


def test_the_halves_as_files() -> None:
    ring = msgspec.json.decode(msgspec.json.encode(RING), type=KeyRing)
    assert list(ring.keys) == list(RING.keys)
    assert (
        msgspec.json.decode(msgspec.json.encode(KEY), type=AuthorizationKey).verification_key
        == KEY.verification_key
    )
    assert set(msgspec.to_builtins(KEY.verification_key)) == {"ID", "AccessType", "PublicKey"}
    assert isinstance(KEY.verification_key, VerificationKey)
    assert expiry_text(0.9) == "1970-01-01T00:00:00Z"
