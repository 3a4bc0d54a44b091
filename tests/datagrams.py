"""Applications that send datagrams through a SOCKS5 proxy, and who answers them."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import dns.message
import dns.rcode
import dns.rrset

__all__ = ["Answering", "Application", "NameServer", "Shim", "udp_head"]


def udp_head(host: str, port: int) -> bytes:
    """Return the head of a datagram for an address, or a name (RFC 1928 §7)."""
    try:
        address = ipaddress.ip_address(host).packed
    except ValueError:
        kind = b"\3" + bytes((len(host),)) + host.encode()
    else:
        kind = (b"\1" if len(address) == 4 else b"\4") + address
    return b"\0\0\0" + kind + port.to_bytes(2, "big")


class Answering(asyncio.DatagramProtocol):
    """Answers each datagram with what `answer` makes of it, while the `async with` block runs."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = bytes, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.senders: list[Any] = []  #: of all datagrams, in order
        self._answer = answer

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, (self.host, self.port))
        receive_buffer(self.transport)
        self.port = self.transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.senders.append(addr)
        answer = self._answer(data)
        if answer is not None:
            self.transport.sendto(answer, addr)


class NameServer(Answering):
    """Knows the addresses of names, each for `ttl` seconds. `questions` is what it was asked."""

    def __init__(self, names: Mapping[str, Sequence[str]], *, ttl: int = 60) -> None:
        super().__init__(self._resolve)
        self.questions: list[str] = []
        self._asked = asyncio.Event()
        self._names = names
        self._ttl = ttl

    def _resolve(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        (asked,) = question.question
        name, kind = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
        self.questions.append(f"{name} {kind}")
        self._asked.set()
        if name not in self._names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        of_kind = [text for text in self._names.get(name, ()) if (":" in text) == (kind == "AAAA")]
        if of_kind:
            answer.answer.append(dns.rrset.from_text(asked.name, self._ttl, "IN", kind, *of_kind))
        return answer.to_wire()

    async def asked(self, question: str) -> None:
        """Wait until somebody has asked this."""
        while question not in self.questions:
            self._asked.clear()
            await self._asked.wait()


class Application(asyncio.DatagramProtocol):
    """One UDP association with the proxy at `port` of `host`. What comes back is in `arrived`."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", announce: bool = False) -> None:
        self.arrived: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()
        self.relay: tuple[str, int] = ("", 0)  #: where the proxy takes datagrams
        self._proxy = host, port
        self._announce = announce

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.udp, _ = await loop.create_datagram_endpoint(lambda: self, (self._proxy[0], 0))
        receive_buffer(self.udp)
        port = self.udp.get_extra_info("sockname")[1] if self._announce else 0
        self.reader, self.tcp = await asyncio.open_connection(*self._proxy)
        self.tcp.write(b"\5\1\0\5\3\0\1\0\0\0\0" + port.to_bytes(2, "big"))
        assert await self.reader.readexactly(5) == b"\5\0\5\0\0"
        size = 4 if await self.reader.readexactly(1) == b"\1" else 16
        address = ipaddress.ip_address(await self.reader.readexactly(size))
        self.relay = str(address), int.from_bytes(await self.reader.readexactly(2), "big")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.udp.close()
        self.tcp.close()

    def send(self, host: str, port: int, data: bytes) -> None:
        self.udp.sendto(udp_head(host, port) + data, self.relay)

    async def ask(self, host: str, port: int, data: bytes) -> tuple[str, int, bytes]:
        """Send, and return the sender and the text of what comes next."""
        self.send(host, port, data)
        async with asyncio.timeout(10):
            return await self.arrived.get()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        size = {1: 4, 4: 16}[data[3]]
        assert data[:3] == b"\0\0\0"
        address = str(ipaddress.ip_address(data[4 : 4 + size]))
        rest = data[4 + size :]
        self.arrived.put_nowait((address, int.from_bytes(rest[:2], "big"), rest[2:]))


class Shim(asyncio.DatagramProtocol):
    """For programs that know nothing of SOCKS: what is sent to its `port` goes to one destination."""

    def __init__(self, application: Application, host: str, port: int) -> None:
        self._application = application
        self._destination = host, port
        self._program: Any = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self.transport.get_extra_info("sockname")[1]
        self._task = loop.create_task(self._pass_back())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._task.cancel()
        self.transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._program = addr
        self._application.send(*self._destination, data)

    async def _pass_back(self) -> None:
        while True:
            host, port, data = await self._application.arrived.get()
            assert (host, port) == self._destination
            self.transport.sendto(data, self._program)


def receive_buffer(transport: asyncio.DatagramTransport) -> None:
    """Make room for what comes in while the test's process is busy with something else."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
