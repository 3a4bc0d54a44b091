"""One algorithm at a time: what a peer is cut down to, and a record of what was agreed on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from headrace.ssh import key_exchange
from headrace.ssh.algorithms import PLAIN, Choice, KexInit, Offer, negotiate

__all__ = ["BASE", "agreed", "key_kind", "lacking", "matrix", "recorded_choices"]

#: What a peer offers apart from the algorithm in question: quick, and every peer has it.
BASE = Offer(
    kex=("ecdh-sha2-nistp256",), host_keys=("ssh-ed25519",), ciphers=("aes128-ctr",), macs=("hmac-sha2-256",)
)
_KINDS = ("kex", "host_keys", "ciphers", "macs")


def matrix(without: Iterable[str] = ()) -> list[object]:
    """Return a parameter for each algorithm of plain SSH but those the peer is known to lack."""
    return [
        pytest.param(_only(kind, name), id=name)
        for kind in _KINDS
        for name in getattr(PLAIN, kind)
        if name not in set(without)
    ]


def _only(kind: str, name: str) -> Offer:
    changes: dict[str, Any] = {kind: (name,)}
    return replace(BASE, **changes)


def lacking(
    kex: Iterable[str], host_keys: Iterable[str], ciphers: Iterable[str], macs: Iterable[str]
) -> set[str]:
    """Return which of our algorithms a peer with these does not have."""
    theirs = set().union(kex, host_keys, ciphers, macs)
    return {name for kind in _KINDS for name in getattr(PLAIN, kind)} - theirs


def key_kind(offer: Offer) -> str:
    """Return the kind of host key that the offer's signature algorithm needs."""
    return "ed25519" if offer.host_keys == ("ssh-ed25519",) else "rsa"


@contextmanager
def recorded_choices() -> Iterator[list[Choice]]:
    """Record what our side of every key exchange agrees to, rekeys included."""
    choices: list[Choice] = []

    def spy(client: KexInit, server: KexInit) -> Choice:
        choices.append(negotiate(client, server))
        return choices[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_exchange, "negotiate", spy)
        yield choices


def agreed(offer: Offer) -> Choice:
    """Return the only outcome there can be when one side offers this."""
    cipher = offer.ciphers[0]
    mac = offer.macs[0] if cipher.endswith("-ctr") else ""
    return Choice(offer.kex[0], offer.host_keys[0], (cipher, cipher), (mac, mac))
