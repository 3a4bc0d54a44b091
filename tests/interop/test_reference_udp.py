"""Datagrams through the deployed server: our client's end of udpgw with another's other end.

    HEADRACE_PSIPHOND             where the program is; without it these tests are skipped

The deployed console client sends no datagrams of its own.
"""

import asyncio
import os
import shlex
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.datagrams import Answering, Application, NameServer
from tests.interop.ours import our_client
from tests.interop.programs import program
from tests.interop.reference import psiphond, reference

from headrace.client import udpgw_client
from headrace.client.udp_flows import FlowTable
from headrace.codec.udpgw import MAX_DATAGRAM

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]

#: Flows of one client that the deployed server allows where its rules say nothing else.
FLOWS = 32


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_there_and_back(protocol: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        echo, six = await enter(Answering()), await enter(Answering(host="::1"))
        entry = await enter(psiphond(tmp_path / "server"))
        client, _ = await enter(our_client(entry, protocol))
        application = await enter(Application(client.ports["Socks"]))
        for data in (b"x", bytes(1_400), bytes(MAX_DATAGRAM)):
            assert await application.ask("127.0.0.1", echo.port, data) == ("127.0.0.1", echo.port, data)
        assert await application.ask("::1", six.port, b"six") == ("::1", six.port, b"six")
        assert len(set(echo.senders)) == 1


async def test_as_many_flows_as_it_allows_at_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        echoes = [await enter(Answering()) for _ in range(FLOWS // 4)]
        entry = await enter(psiphond(tmp_path / "server"))
        client, _ = await enter(our_client(entry, "OSSH"))
        applications = [await enter(Application(client.ports["Socks"])) for _ in range(4)]
        for _ in range(3):
            for application in applications:
                for echo in echoes:
                    application.send(echo.host, echo.port, b"x")
            async with asyncio.timeout(10):
                for application in applications:
                    answers = {(await application.arrived.get())[1] for _ in echoes}
                    assert answers == {echo.port for echo in echoes}
        assert all(len(set(echo.senders)) == len(applications) for echo in echoes)


async def test_one_flow_more_than_that_ends_an_old_one_and_nothing_else(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        echoes = [await enter(Answering()) for _ in range(FLOWS + 1)]
        entry = await enter(psiphond(tmp_path / "server"))
        client, _ = await enter(our_client(entry, "OSSH"))
        application = await enter(Application(client.ports["Socks"]))
        for echo in [*echoes, echoes[-1], echoes[2], echoes[0]]:
            assert await application.ask(echo.host, echo.port, b"x") == (echo.host, echo.port, b"x")
        assert len(set(echoes[0].senders)) == 2  # the oldest, which had to begin anew
        assert len(set(echoes[2].senders)) == 1


async def test_a_flow_taken_over_by_another_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own table is full: the number of the oldest flow is used for another destination."""
    monkeypatch.setattr(udpgw_client, "FlowTable", partial(FlowTable, 2))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        echoes = [await enter(Answering()) for _ in range(5)]
        entry = await enter(psiphond(tmp_path / "server"))
        client, _ = await enter(our_client(entry, "OSSH"))
        application = await enter(Application(client.ports["Socks"]))
        for echo in echoes * 3:
            assert await application.ask(echo.host, echo.port, b"x") == (echo.host, echo.port, b"x")
        assert client.udp.gateway.flows == 2


@pytest.mark.root
async def test_names_and_dns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its resolver is the machine's, so it has to have a configuration of its own."""
    names = NameServer({"echo.test": ["127.0.0.1"]})
    names.host, names.port = "127.9.8.7", 53
    settings, wrapper = tmp_path / "resolv.conf", tmp_path / "psiphond"
    settings.write_text(f"nameserver {names.host}\n")
    mount = f'mount --bind {shlex.quote(str(settings))} /etc/resolv.conf && exec "$0" "$@"'
    real = shlex.quote(reference("HEADRACE_PSIPHOND"))
    wrapper.write_text(
        f'#!/bin/sh\nexec {program("unshare")} --mount sh -c {shlex.quote(mount)} {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setitem(os.environ, "HEADRACE_PSIPHOND", str(wrapper))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        echo = await enter(Answering())
        await enter(names)
        entry = await enter(psiphond(tmp_path / "server"))
        client, _ = await enter(our_client(entry, "OSSH"))
        application = await enter(Application(client.ports["Socks"]))
        assert await application.ask("echo.test", echo.port, b"x") == ("127.0.0.1", echo.port, b"x")
    assert names.questions == ["echo.test A"]
