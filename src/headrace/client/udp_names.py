"""Names that applications send datagrams to, looked up where the tunnel ends: DNS over udpgw.

The server's own resolver answers (the DNS flag, tunnel spec §7): no question leaves this machine in the open.
"""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from headrace.base.errors import NameNotFound, NetworkError
from headrace.base.rng import Rng
from headrace.client.udpgw_client import UdpgwClient
from headrace.net.resolve import Answer

__all__ = ["UdpNames", "parse_answer", "read_addresses"]

#: Seconds for an answer, and how often a question is asked: datagrams are lost.
PATIENCE: Final = 1.2
ATTEMPTS: Final = 3
#: What is asked for in turn.
KINDS: Final = ("A", "AAAA")
#: Longest answer that is looked at: reading one takes time for every record.
MAX_ANSWER: Final = 4096

#: Where questions seem to go. The server looks at the flag only.
_ADDRESS: Final = bytes((10, 0, 0, 53))
_PORT: Final = 53


class UdpNames:
    """A resolver's backend; see `headrace.net.resolve`."""

    def __init__(self, gateway: UdpgwClient, rng: Rng) -> None:
        self._gateway = gateway
        self._rng = rng
        self._asked: dict[int, tuple[Any, asyncio.Future[Any]]] = {}  # by the question's number

    async def query(self, name: str) -> Sequence[Answer]:
        """Return the IPv4 addresses of a name, or else its IPv6 addresses. Raises NetworkError."""
        # dnspython takes a while to import, which would hold up all that goes through the tunnel.
        dns = await asyncio.get_running_loop().run_in_executor(None, import_module, "dns.message")
        for kind in KINDS:
            if found := read_addresses(await self._ask(dns.make_query(name, kind, id=self._number()))):
                return found
        raise NameNotFound("the name has no address")

    async def close(self) -> None:
        """Nothing is held."""

    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        """Take an answer from the server."""
        asked = self._asked.get(int.from_bytes(datagram[:2], "big"))
        if asked is None or len(datagram) > MAX_ANSWER:
            return
        question, answer = asked
        if not answer.done() and (reply := parse_answer(datagram, question)) is not None:
            answer.set_result(reply)

    def _number(self) -> int:
        number = self._rng.between(0, 0xFFFF)
        while number in self._asked:
            number = (number + 1) & 0xFFFF
        return number

    async def _ask(self, question: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self._asked[question.id] = question, answer
        wire = question.to_wire()
        try:
            for _ in range(ATTEMPTS):
                self._gateway.send(self, _ADDRESS, _PORT, wire, dns=True)
                done, _ = await asyncio.wait((answer,), timeout=PATIENCE)
                if done:
                    return answer.result()
        finally:
            answer.cancel()
            del self._asked[question.id]
            if not self._asked:
                self._gateway.release(self)
        raise NetworkError("the name server did not answer")


def parse_answer(datagram: bytes, question: Any) -> Any | None:
    """Return the answer to `question`, or None if this is none."""
    from dns.exception import DNSException
    from dns.message import from_wire

    try:
        reply = from_wire(datagram, ignore_trailing=True)
    except (DNSException, ValueError):
        return None
    return reply if question.is_response(reply) else None


def read_addresses(reply: Any) -> list[Answer]:
    """Return the addresses in an answer. Raises NetworkError if it gives a reason for having none."""
    from dns.exception import DNSException
    from dns.rcode import NOERROR, NXDOMAIN

    if reply.rcode() == NXDOMAIN:
        raise NameNotFound("the name does not exist")
    if reply.rcode() != NOERROR:
        raise NetworkError("the name server cannot say")
    try:
        chain = reply.resolve_chaining()
    except DNSException as error:
        raise NetworkError("the name server's answer makes no sense") from error
    return [(record.address, chain.minimum_ttl) for record in chain.answer or ()]
