"""Digest: a hash proves that the password is known (RFC 7616, and RFC 2617 and 2069 for older proxies).

    response = H(H(user:realm:password) : nonce [: nc : cnonce : qop] : H(CONNECT:host:port))

MD5 and SHA-256, with `qop=auth` or none. With `-sess` the first hash takes nonce and cnonce in as well.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from headrace.base.rng import Rng
from headrace.codec.http_challenges import Challenge, quote
from headrace.codec.http_login_way import Identity, Impossible, Way

__all__ = ["Digest"]

_CNONCE_SIZE: Final = 16  # bytes; RFC 7616 §5.12 says nothing of it, browsers take 8 to 16


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_HASHES: Final[dict[str, Callable[[bytes], str]]] = {"md5": _md5, "sha-256": _sha256}


class Digest(Way):
    """Answers with a hash of the password and of what the proxy sent; again if that has become stale."""

    def __init__(self, identity: Identity, rng: Rng) -> None:
        self._identity = identity
        self._rng = rng
        self._offer: dict[str, str] = {}
        self._hash: Callable[[bytes], str] = _md5
        self._session = False
        self._qop = ""
        self._count = 0

    def challenged(self, offers: Sequence[Challenge], closing: bool) -> bool:
        if self._count and not any(offer.parameters.get("stale", "").lower() == "true" for offer in offers):
            return False
        for offer in offers:  # the proxy's favourite is first
            if self._take(offer.parameters):
                return True
        raise Impossible

    def _take(self, parameters: dict[str, str]) -> bool:
        """Take an offer; False if we cannot."""
        algorithm = parameters.get("algorithm", "MD5").lower()
        hash_ = _HASHES.get(algorithm.removesuffix("-sess"))
        qops = {word.strip().lower() for word in parameters.get("qop", "").split(",")}
        if hash_ is None or not qops & {"auth", ""} or not parameters.keys() >= {"realm", "nonce"}:
            return False
        self._offer, self._hash = parameters, hash_
        self._session = algorithm.endswith("-sess")
        self._qop = "auth" if "auth" in qops else ""
        self._count = 0
        return True

    def authorization(self, target: str) -> str:
        self._count += 1
        realm, nonce = self._offer["realm"], self._offer["nonce"]
        count, cnonce = f"{self._count:08x}", self._rng.bytes(_CNONCE_SIZE).hex()
        secret = (self._identity.user, realm, self._identity.password)
        used = (nonce, count, cnonce, self._qop) if self._qop else (nonce,)
        session = (nonce, cnonce) if self._session else ()
        said = {
            "username": quote(self._identity.user),
            "realm": quote(realm),
            "nonce": quote(nonce),
            "uri": quote(target),
            "response": quote(response(self._hash, secret, session, used, ("CONNECT", target))),
        }
        # What stands without quotes here does so in RFC 7616 §3.4, and some proxies insist.
        if "algorithm" in self._offer:
            said["algorithm"] = self._offer["algorithm"]
        if "opaque" in self._offer:
            said["opaque"] = quote(self._offer["opaque"])
        if self._qop:
            said |= {"qop": self._qop, "nc": count}
        if self._qop or self._session:
            said["cnonce"] = quote(cnonce)
        return "Digest " + ", ".join(f"{name}={value}" for name, value in said.items())


def response(
    hash_: Callable[[bytes], str],
    secret: Sequence[str],
    session: Sequence[str],
    used: Sequence[str],
    asked: Sequence[str],
) -> str:
    """Return the proof that the secret (user, realm, password) is known.

    `session` is nonce and cnonce for `-sess`, else empty; `used` is the nonce, and with qop nc, cnonce and
    qop after it; `asked` is method and URI.
    """

    def of(parts: Sequence[str]) -> str:
        return hash_(":".join(parts).encode("utf-8", "surrogateescape"))  # byte by byte as they came

    known = of(secret)
    if session:
        known = of((known, *session))
    return of((known, *used, of(asked)))
