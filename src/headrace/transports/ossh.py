"""The tunnel protocol `OSSH`: obfuscated SSH, with or without a prefix (tunnel spec §2–3)."""

from headrace.net.tunnel_socket import Layer, Opening, Refusal
from headrace.obfuscation.client import ClientObfuscator
from headrace.obfuscation.server import Reject, ServerObfuscator
from headrace.ssh.algorithms import OBFUSCATED
from headrace.transports.contract import ClientSide, ServerSide, TunnelProtocol

__all__ = ["NAME", "PROTOCOL"]

NAME = "OSSH"


class _ClientLayer:
    def __init__(self, side: ClientSide) -> None:
        self._obfuscator = ClientObfuscator(
            side.keyword, side.rng, padding=side.padding, prefix=side.prefix, shape=side.shape
        )

    def connected(self) -> Opening:
        obfuscator = self._obfuscator
        return Opening(
            obfuscator.opening,
            obfuscator.veil,
            delay=obfuscator.opening_delay,
            framing=obfuscator.framing,
        )

    def receive(self, data: bytes) -> Opening | None:
        leftover = self._obfuscator.receive(data)
        return None if leftover is None else Opening(leftover=leftover)


class _ServerLayer:
    def __init__(self, side: ServerSide) -> None:
        least, most = side.padding
        self._obfuscator = ServerObfuscator(
            side.keyword,
            side.rng,
            side.seen,
            side.prefixes,
            min_padding=least,
            max_padding=most,
            now=side.now,
        )

    def connected(self) -> None:
        return None  # the client speaks first, and strangers hear nothing

    def receive(self, data: bytes) -> Opening | Refusal | None:
        answer = self._obfuscator.receive(data)
        if answer is None:
            return None
        if isinstance(answer, Reject):
            return Refusal(answer.reason.value)
        return Opening(answer.opening, answer.veil, answer.leftover, answer.opening_delay, answer.framing)


class _Ossh(TunnelProtocol):
    name = NAME
    offer = OBFUSCATED
    hide_lengths = True

    def client_layer(self, side: ClientSide) -> Layer:
        return _ClientLayer(side)

    def server_layer(self, side: ServerSide) -> Layer:
        return _ServerLayer(side)


PROTOCOL = _Ossh()
