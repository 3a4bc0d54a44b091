"""The tunnel protocol `SSH`: no layer at all."""

from headrace.net.tunnel_socket import Layer, Opening
from headrace.ssh.algorithms import PLAIN
from headrace.transports.contract import ClientSide, ServerSide, TunnelProtocol

__all__ = ["NAME", "PROTOCOL"]

NAME = "SSH"


class _NoLayer:
    def connected(self) -> Opening:
        return Opening()

    def receive(self, data: bytes) -> Opening:
        return Opening(leftover=data)


class _Ssh(TunnelProtocol):
    name = NAME
    offer = PLAIN
    hide_lengths = False

    def client_layer(self, side: ClientSide) -> Layer:
        return _NoLayer()

    def server_layer(self, side: ServerSide) -> Layer:
        return _NoLayer()


PROTOCOL = _Ssh()
