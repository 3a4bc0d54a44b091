"""What travels between the management and a machine that has a key and nothing else: requests and answers.

    request   {"headrace": "sign request", "version": 1, "network", "purpose", "key_id", "created",
               "items": [{"name", "sha256", "data"}, ...]}
    answer    {"headrace": "signed response", "version": 1, "network", "purpose", "key_id", "created",
               "items": [{"name", "sha256", "signature"}, ...]}

`data` and `signature` are base64, `sha256` is hexadecimal, times are RFC 3339 in UTC. Whoever signs is shown
what it is, and a key signs only what looks like that which it is for. An answer is accepted whole or not at
all: each signature has to be the key's own, over what was asked for. All that is read raises DocumentError.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from headrace.base.errors import DocumentError, OperatorError
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.crypto.signing import SigningKey
from headrace.documents.json_canonical import decode_json, encode_canonical
from headrace.network.signing.kinds import Form, Purpose, kind_of
from headrace.network.signing.making import KeyPair
from headrace.network.signing.reading import read_document
from headrace.network.signing.signer import NeedsOfflineSignature, Unsigned, public_verifies

__all__ = [
    "MAX_FILE",
    "SignItem",
    "SignRequest",
    "SignedItem",
    "SignedResponse",
    "accept_response",
    "describe_request",
    "encode_document",
    "make_request",
    "read_request",
    "read_response",
    "sign_request",
]

#: Bytes of the largest request or answer that is read.
MAX_FILE: Final = 256 * 1024 * 1024

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}\\Z")]
_KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}\\Z")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both have in common."""

    version: Literal[1] = 1
    network: _Text
    purpose: Purpose
    key_id: _KeyId
    created: _Time


class SignItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is to be signed."""

    name: _Text
    sha256: _Digest
    data: bytes


class SignedItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signature over one thing."""

    name: _Text
    sha256: _Digest
    signature: bytes


class SignRequest(_Document, frozen=True, kw_only=True, tag_field="headrace", tag="sign request"):
    """What the management asks the holder of a key to sign."""

    items: list[SignItem]


class SignedResponse(_Document, frozen=True, kw_only=True, tag_field="headrace", tag="signed response"):
    """What the holder of the key has signed."""

    items: list[SignedItem]


_Either = TypeVar("_Either", SignRequest, SignedResponse)


def make_request(network: str, needs: NeedsOfflineSignature, now: datetime) -> SignRequest:
    """Return the request for what a signer could not sign."""
    return SignRequest(
        network=network,
        purpose=Purpose(needs.purpose),
        key_id=needs.key_id,
        created=now,
        items=[_item(unsigned) for unsigned in needs.wanted],
    )


def _item(unsigned: Unsigned) -> SignItem:
    return SignItem(name=unsigned.name, sha256=unsigned.sha256, data=unsigned.data)


def encode_document(document: SignRequest | SignedResponse) -> bytes:
    """Return a request or an answer as it is written to a file."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def read_request(data: bytes, file: str = "the request") -> SignRequest:
    """Return the request in a file. Raises DocumentError."""
    request = _read(data, SignRequest, file)
    for item in request.items:
        if hashlib.sha256(item.data).hexdigest() != item.sha256:
            raise DocumentError(f"{file}: {item.name} is not what its digest says: it was changed on the way")
    return request


def read_response(data: bytes, file: str = "the answer") -> SignedResponse:
    """Return the answer in a file; nothing is said of its signatures yet. Raises DocumentError."""
    return _read(data, SignedResponse, file)


def describe_request(request: SignRequest) -> list[str]:
    """Tell a person in lines what is to be signed. Raises DocumentError for what the key is not for."""
    lines = [
        f"network {request.network}: {kind_of(request.purpose).title}, key {request.key_id}",
        f"requested {request.created:%Y-%m-%d %H:%M} UTC, {len(request.items)} to sign:",
    ]
    return lines + [
        f"  {item.name}: {_nature(request.purpose, item)}, SHA-256 {item.sha256[:16]}"
        for item in request.items
    ]


def sign_request(
    request: SignRequest, key: KeyPair, now: datetime, confirm: Callable[[list[str]], bool]
) -> SignedResponse:
    """Sign all of a request, where the key is, if `confirm` says so of the lines that describe it.

    Raises DocumentError when the request is for another key, or asks for what the key is not for, and
    OperatorError when it is not confirmed.
    """
    if request.purpose != key.purpose or request.key_id != key.key_id:
        raise DocumentError(
            f"this request is for the {request.purpose} key {request.key_id}, "
            f"and what is here is the {key.purpose} key {key.key_id}"
        )
    lines = describe_request(request)
    if not confirm(lines):
        raise OperatorError("nothing was signed")
    is_entry = kind_of(request.purpose).form is Form.ED25519
    signing = SigningKey.from_text(key.private) if is_entry else PackageSigningKey.from_text(key.private)
    return SignedResponse(
        network=request.network,
        purpose=request.purpose,
        key_id=request.key_id,
        created=now,
        items=[
            SignedItem(name=item.name, sha256=item.sha256, signature=signing.sign(item.data))
            for item in request.items
        ],
    )


def accept_response(response: SignedResponse, request: SignRequest, public: str) -> dict[str, bytes]:
    """Return the signatures in an answer by the SHA-256 of what they are over, for offline signers.

    `public` is the key as the model has it. Raises DocumentError unless all that was asked for, and nothing
    else, was signed with this key.
    """
    for what in ("network", "purpose", "key_id"):
        asked, answered = getattr(request, what), getattr(response, what)
        if asked != answered:
            raise DocumentError(
                f"this answers another request: it is for {what} {answered}, not {asked}; import it there"
            )
    wanted = {item.sha256: item for item in request.items}
    signatures: dict[str, bytes] = {}
    for signed in response.items:
        item = wanted.get(signed.sha256)
        if item is None or item.name != signed.name:
            raise DocumentError(f"this answers another request: {signed.name} was not asked for")
        if not public_verifies(request.purpose, public, item.data, signed.signature):
            raise DocumentError(
                f"the signature over {signed.name} is not that of the key {request.key_id}: "
                "it was changed on the way, or made with another key"
            )
        signatures[signed.sha256] = signed.signature
    if missing := [item.name for sha256, item in wanted.items() if sha256 not in signatures]:
        raise DocumentError(f"the answer is not complete: {missing[0]} is not signed")
    return signatures


def _read(data: bytes, kind: type[_Either], file: str) -> _Either:
    document: _Either = read_document(data, kind, file, MAX_FILE)
    if not kind_of(document.purpose).signs:
        raise DocumentError(f"{file}: nothing is signed with {document.purpose} keys")
    if document.created.utcoffset() != timedelta():
        raise DocumentError(f"{file}: created: the time must be in UTC, with a Z at its end")
    if not document.items:
        raise DocumentError(f"{file}: items: there is nothing in it")
    for text in (document.network, *(item.name for item in document.items)):
        if not text.isprintable():
            raise DocumentError(f"{file}: a name has characters that cannot be shown: {text!a}")
    for what in ("name", "sha256"):
        if len({getattr(item, what) for item in document.items}) < len(document.items):
            raise DocumentError(f"{file}: items: two have the same {what}")
    return document


def _nature(purpose: Purpose, item: SignItem) -> str:
    """Say what an item is, and insist that it is what a key for `purpose` signs."""
    if kind_of(purpose).form is Form.ED25519:
        value = decode_json(item.data)
        if not isinstance(value, dict) or encode_canonical(value) != item.data:
            raise DocumentError(f"{item.name} is no server entry, and this key signs nothing else")
        return f"server entry of {value.get('ipAddress')!a}, {len(item.data)} bytes"
    try:
        lines = item.data.decode().count("\n") + 1
    except UnicodeDecodeError:
        raise DocumentError(f"{item.name} is no text, and this key signs nothing else") from None
    return f"text, {lines} lines, {len(item.data)} bytes"
