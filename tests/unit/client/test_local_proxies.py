"""The listeners of a run, on real sockets."""

import asyncio
import io
import json

import pytest
from tests.memory_network import client_config

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import NetworkError, OperatorError
from headrace.client.local_proxies import LocalProxies
from headrace.client.notices import NoticeOptions, Notices
from headrace.net.relay import Relay
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination


class Nowhere:
    """Where no port forward can be opened."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        raise NetworkError("no active tunnels")

    def forward_failed(self) -> None:
        """That is no news."""

    def make_relay(self) -> Relay:
        raise AssertionError("nothing was opened")


async def test_each_speaks_its_own_protocol_and_neither_is_there_afterwards() -> None:
    stream = io.StringIO()
    proxies = LocalProxies(client_config(), Nowhere(), Notices(stream, SYSTEM_CLOCK, NoticeOptions()))
    await proxies.open()
    told = {line["noticeType"]: line["data"] for line in map(json.loads, stream.getvalue().splitlines())}
    assert told == {
        "ListeningSocksProxyPort": {"port": proxies.ports["Socks"]},
        "ListeningHttpProxyPort": {"port": proxies.ports["Http"]},
    }
    requests = {
        "Socks": (b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x08\x08\x00\x50", b"\x05\x00\x05\x01"),
        "Http": (b"CONNECT 8.8.8.8:80 HTTP/1.1\r\nHost: 8.8.8.8:80\r\n\r\n", b"HTTP/1.1 50"),
    }
    for name, (request, answer) in requests.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxies.ports[name])
        writer.write(request)
        assert (await reader.read()).startswith(answer)
        writer.close()
        await writer.wait_closed()
    proxies.close()
    for port in proxies.ports.values():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_an_interface_that_is_not_there() -> None:
    config = client_config(ListenInterface="nonesuch0")
    proxies = LocalProxies(config, Nowhere(), Notices(io.StringIO(), SYSTEM_CLOCK, NoticeOptions()))
    with pytest.raises(OperatorError, match="nonesuch0"):
        await proxies.open()
    assert proxies.ports == {}
    proxies.close()
