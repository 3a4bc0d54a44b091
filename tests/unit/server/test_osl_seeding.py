"""Keys for obfuscated lists: who moves enough of the right bytes gets them, once, whatever happens."""

import asyncio
import base64
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.geoip_database import Everywhere
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle
from tests.osl_configs import (
    CHANNEL,
    HOUR,
    MASTER_KEY,
    SECOND,
    SPEC_IDS,
    config_bytes,
    osl_config,
    scheme,
    spec,
)

from headrace.client import api
from headrace.client.tunnel import Tunnel
from headrace.documents.osl.seeding import SeedState
from headrace.documents.osl.sloks import derive_slok, nanoseconds
from headrace.net.addresses import parse_address
from headrace.server import osl_seeding
from headrace.server.osl_seeding import KEPT, RETRY, Seeding, SeedStates
from headrace.server.worker import SWEEP
from headrace.ssh.forwarding import DIRECT_TCPIP
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

START = nanoseconds("2024-06-01T12:00:00Z")
ORIGIN = "8.8.8.8"
ELSEWHERE = "9.9.9.9"
OSL_FILE = "osl.config"
SESSION_ID = "0123456789abcdef" * 2


class LoopClock:
    """The loop's time; it is 2024-06-01, noon, when it starts."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return START / SECOND + self.monotonic()


def slok(number: int = 0, period: int = START, channel: str = CHANNEL) -> dict[str, str]:
    """Return a SLOK as the client is sent it."""
    derived = derive_slok(MASTER_KEY, channel, SPEC_IDS[number], period)
    return {"ID": base64.b64encode(derived.id).decode(), "Key": base64.b64encode(derived.key).decode()}


class Rig:
    """A server with these schemes, and clients of it that write down what they are sent."""

    def __init__(self, network: Network, directory: Path, *schemes: dict[str, Any], **settings: Any) -> None:
        self.network = network
        self.directory = directory
        (directory / OSL_FILE).write_bytes(config_bytes(*schemes))
        self.server = MemoryServer(network, directory, sweeping=True, OSLConfigFilename=OSL_FILE, **settings)
        worker = self.server.worker
        clock = LoopClock()
        worker.shared = replace(worker.shared, clock=clock, api=replace(worker.shared.api, clock=clock))
        worker.seed_states = SeedStates(worker.shared.osl, clock)
        self.received: list[tuple[float, list[dict[str, str]]]] = []  # when, and which SLOKs
        self.accepting = True
        self.places: dict[str, list[Destination]] = {}
        for address in (ORIGIN, ELSEWHERE):
            self.places[address] = []
            network.places[address, 80] = lambda address=address: self._destination(address)  # type: ignore[misc]

    def _destination(self, address: str) -> Destination:
        self.places[address].append(Destination())
        return self.places[address][-1]

    def _answer(self, name: bytes, payload: memoryview) -> bytes | None:
        assert name == b"psiphon-osl"
        message = json.loads(bytes(payload))
        assert list(message) == ["seed_payload"] and list(message["seed_payload"]) == ["SLOKs"]
        self.received.append((asyncio.get_running_loop().time(), message["seed_payload"]["SLOKs"]))
        return b"" if self.accepting else None

    @property
    def sloks(self) -> list[dict[str, str]]:
        """All that were sent."""
        return [slok for _, sloks in self.received for slok in sloks]

    async def connect(self, session_id: str = SESSION_ID, **settings: Any) -> Tunnel:
        tunnel = make_tunnel(self.server.entry, answer=self._answer, SessionID=session_id, **settings)
        await tunnel.connect()
        await tunnel.handshake()
        return tunnel

    async def forward(self, tunnel: Tunnel, address: str = ORIGIN) -> tuple[RecordingEndpoint, Destination]:
        endpoint = RecordingEndpoint()
        tunnel.open_channel(DIRECT_TCPIP, Target(address, 80).encode(), endpoint)
        await settle()
        assert endpoint.events == [("opened",)]
        return endpoint, self.places[address][-1]

    async def download(self, tunnel: Tunnel, size: int, address: str = ORIGIN) -> RecordingEndpoint:
        endpoint, destination = await self.forward(tunnel, address)
        destination.send(bytes(size))
        await settle()
        return endpoint

    def reload(self, *schemes: dict[str, Any]) -> None:
        (self.directory / OSL_FILE).write_bytes(config_bytes(*schemes))
        self.server.worker.reload(self.server.worker.shared.reloaded(self.directory))


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Rig]:
    network = Network.install(monkeypatch)
    return lambda *schemes, **settings: Rig(network, tmp_path, *schemes, **settings)


async def sweep() -> None:
    await asyncio.sleep(SWEEP + 0.01)


# ---- earning ----------------------------------------------------------------------------------------------


async def test_enough_bytes_earn_the_key_once(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, "8.8.8.0/24", down=1000, up=10)))
    tunnel = await network.connect()
    endpoint, destination = await network.forward(tunnel)
    endpoint.send(bytes(10))
    destination.send(bytes(999))
    await sweep()
    assert network.received == []
    destination.send(b"!")
    await sweep()
    assert network.sloks == [slok()]
    destination.send(bytes(5000))
    endpoint.send(bytes(5000))
    await sweep()
    await network.download(tunnel, 2000)
    await sweep()
    assert len(network.received) == 1
    tunnel.abort()


@pytest.mark.parametrize("sent", [(1000, 9), (999, 10), (0, 5000), (5000, 0)])
async def test_every_target_must_be_reached(rig: Callable[..., Rig], sent: tuple[int, int]) -> None:
    network = rig(scheme(spec(0, "8.8.8.0/24", down=1000, up=10)))
    tunnel = await network.connect()
    endpoint, destination = await network.forward(tunnel)
    destination.send(bytes(sent[0]))
    endpoint.send(bytes(sent[1]))
    await sweep()
    assert network.received == []
    tunnel.abort()


async def test_bytes_elsewhere_do_not_count(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, "8.8.8.0/24", down=1000), spec(1, "9.9.0.0/16", down=3000)))
    tunnel = await network.connect()
    await network.download(tunnel, 2000, ELSEWHERE)
    await sweep()
    assert network.received == []
    await network.download(tunnel, 1000, ELSEWHERE)
    await sweep()
    assert network.sloks == [slok(1)]
    tunnel.abort()


async def test_a_forward_counts_when_it_ends_and_all_of_them_together(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, down=3000)))
    tunnel = await network.connect()
    for _ in range(3):
        endpoint = await network.download(tunnel, 1000)
        assert endpoint.channel is not None
        assert network.received == []
        endpoint.channel.close()
        await settle()
    assert network.sloks == [slok()]  # and no sweep was needed
    tunnel.abort()


async def test_time_counts_up_to_the_last_byte_down(rig: Callable[..., Rig]) -> None:
    minute = {"BytesRead": 0, "BytesWritten": 0, "PortForwardDurationNanoseconds": 60 * SECOND}
    network = rig(scheme(spec(0, Targets=minute)), rules={"IdleTCPPortForwardTimeoutMilliseconds": 0})
    tunnel = await network.connect()
    endpoint, destination = await network.forward(tunnel)
    for _ in range(20):
        endpoint.send(b"anybody there?")
        await sweep()
    assert network.received == []  # nothing ever came down
    destination.send(b"yes")
    await sweep()
    assert network.sloks == [slok()]
    tunnel.abort()


async def test_a_period_that_ends_takes_progress_with_it(rig: Callable[..., Rig]) -> None:
    minute = 60 * SECOND
    network = rig(scheme(spec(0, down=1000), SeedPeriodNanoseconds=minute))
    tunnel = await network.connect()
    await network.download(tunnel, 600)
    await asyncio.sleep(60)
    await network.download(tunnel, 600)
    await sweep()
    assert network.received == []
    await network.download(tunnel, 400)
    await sweep()
    assert network.sloks == [slok(period=START + minute)]
    await asyncio.sleep(60)
    await network.download(tunnel, 1000)
    await sweep()
    assert network.sloks == [slok(period=START + minute), slok(period=START + 2 * minute)]
    tunnel.abort()


async def test_only_schemes_for_this_client_apply(rig: Callable[..., Rig]) -> None:
    network = rig(
        scheme(spec(0)),
        scheme(spec(1), PropagationChannelIDs=["0123456789ABCDEF", CHANNEL]),
        scheme(spec(2), PropagationChannelIDs=["0123456789ABCDEF"]),
        scheme(spec(3), Regions=["NL", "CA"]),
        scheme(spec(4), Epoch="2024-06-01T12:00:00Z"),
        scheme(spec(5), Epoch="2024-06-01T13:00:00Z"),
    )
    await asyncio.sleep(1)
    tunnel = await network.connect()
    await network.download(tunnel, 1)
    await sweep()
    assert network.sloks == [slok(0), slok(1), slok(4)]
    other = await network.connect("f" * 32, PropagationChannelId="0123456789ABCDEF")
    await network.download(other, 1)
    await sweep()
    assert network.sloks[3:] == [slok(number, channel="0123456789ABCDEF") for number in (1, 2)]
    tunnel.abort()
    other.abort()


async def test_a_known_region(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0), Regions=["NL"]), scheme(spec(1), Regions=["CA"]))
    worker = network.server.worker
    worker.shared = replace(worker.shared, geo_ip=Everywhere("CA"))
    tunnel = await network.connect()
    await network.download(tunnel, 1)
    await sweep()
    assert network.sloks == [slok(1)]
    tunnel.abort()


async def test_a_client_that_cannot_be_asked_is_not_asked(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = rig(scheme(spec(0)))
    password = network.server.entry.ssh_password
    monkeypatch.setattr(api, "password", lambda identity, dial: SESSION_ID + password)
    tunnel = await network.connect()
    await network.download(tunnel, 1000)
    await sweep()
    tunnel.abort()
    assert network.received == []
    assert len(network.server.worker.seed_states) == 0


# ---- delivery ---------------------------------------------------------------------------------------------


async def test_what_is_rejected_is_sent_again_later_and_later(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0)))
    network.accepting = False
    tunnel = await network.connect()
    await network.download(tunnel, 1)
    await asyncio.sleep(SWEEP + 7.5 * RETRY)
    network.accepting = True
    await asyncio.sleep(100 * RETRY)
    first = network.received[0][0]
    assert [when - first for when, _ in network.received] == pytest.approx(
        [0, RETRY, 3 * RETRY, 7 * RETRY, 15 * RETRY]
    )
    assert {json.dumps(sloks) for _, sloks in network.received} == {json.dumps([slok()])}
    tunnel.abort()


async def test_after_a_key_was_taken_waiting_begins_anew() -> None:
    loop, asked = asyncio.get_running_loop(), list[float]()
    answers = iter([None, None, b"", None, b""])

    def request(name: bytes, payload: bytes, reply: Callable[[bytes | None], None]) -> None:
        asked.append(loop.time())
        loop.call_soon(reply, next(answers))

    state = SeedState(osl_config(scheme()).schemes, CHANNEL)
    seeding = Seeding(state, request, LoopClock())
    for period in (START, START + HOUR):
        state.add(state.matching(ipaddress.ip_address(ORIGIN)), 1, 0, 0, period)
        seeding.sweep()
        await asyncio.sleep(10 * RETRY)
    assert [when - asked[0] for when in asked] == pytest.approx([0, RETRY, 3 * RETRY, 10 * RETRY, 11 * RETRY])
    seeding.end()


async def test_a_new_key_does_not_wait_for_a_rejected_one(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, "8.8.8.8/32"), spec(1, "9.9.9.9/32")))
    network.accepting = False
    tunnel = await network.connect()
    await network.download(tunnel, 1)
    await sweep()
    network.accepting = True
    await network.download(tunnel, 1, ELSEWHERE)
    await sweep()
    assert [sloks for _, sloks in network.received] == [[slok(0)], [slok(0), slok(1)]]
    await asyncio.sleep(10 * RETRY)
    assert len(network.received) == 2
    tunnel.abort()


async def test_one_request_at_a_time() -> None:
    """A client that does not answer is not asked again; when it does, it is sent what has come since."""
    requests: list[tuple[bytes, Callable[[bytes | None], None]]] = []
    config = osl_config(scheme(spec(0, "8.8.8.8/32"), spec(1, "9.9.9.9/32")))
    seeding = Seeding(
        SeedState(config.schemes, CHANNEL),
        lambda name, payload, reply: requests.append((payload, reply)),
        LoopClock(),
    )
    for address in (ORIGIN, ELSEWHERE):
        flow = Flow(1, 1)
        parsed = parse_address(address)
        assert parsed is not None
        seeding.opened(flow, parsed)
        flow.bytes_in += 1
        seeding.closed(flow)
        seeding.closed(flow)
    await asyncio.sleep(1000)
    assert [json.loads(payload)["seed_payload"]["SLOKs"] for payload, _ in requests] == [[slok(0)]]
    requests[0][1](b"")
    assert [json.loads(payload)["seed_payload"]["SLOKs"] for payload, _ in requests[1:]] == [[slok(1)]]
    seeding.end()
    requests[1][1](None)  # as a lost connection does
    await asyncio.sleep(1000)
    assert len(requests) == 2
    assert len(seeding.state.pending) == 1


async def test_a_client_that_refuses_for_long_costs_little() -> None:
    """Neither memory nor bytes grow with what it refused, and no request is too long for an SSH peer."""
    requests: list[tuple[bytes, Callable[[bytes | None], None]]] = []
    state = SeedState(osl_config(scheme()).schemes, CHANNEL)
    seeding = Seeding(state, lambda name, payload, reply: requests.append((payload, reply)), LoopClock())
    periods = range(START, START + 3000 * HOUR, HOUR)
    for period in periods:
        state.add(state.matching(ipaddress.ip_address(ORIGIN)), 1, 0, 0, period)
    assert state.pending == [derive_slok(MASTER_KEY, CHANNEL, SPEC_IDS[0], each) for each in periods[-1024:]]
    seeding.sweep()
    for payload, reply in requests:  # an answer brings the next one
        assert len(payload) < 32_768
        reply(b"")
    sent = [each for payload, _ in requests for each in json.loads(payload)["seed_payload"]["SLOKs"]]
    assert sent == [slok(0, period) for period in periods[-1024:]]
    assert state.pending == []
    seeding.end()


@dataclass(eq=False)
class Flow:
    bytes_in: int = 0
    bytes_out: int = 0


# ---- coming back ------------------------------------------------------------------------------------------


async def leave(network: Rig, tunnel: Tunnel) -> None:
    tunnel.abort()
    await settle()
    assert not network.server.sessions


async def test_a_client_that_comes_back_goes_on_where_it_was(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, down=1000)))
    tunnel = await network.connect()
    await network.download(tunnel, 600)
    await leave(network, tunnel)
    await asyncio.sleep(KEPT - 1)
    tunnel = await network.connect()
    assert len(network.server.worker.seed_states) == 0  # it is the tunnel's again
    await network.download(tunnel, 400)
    await sweep()
    assert network.sloks == [slok()]
    await leave(network, tunnel)
    tunnel = await network.connect()
    await network.download(tunnel, 2000)
    await sweep()
    assert len(network.received) == 1  # it has this one
    tunnel.abort()


async def test_what_it_did_not_get_it_gets_when_it_comes_back(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, down=1000)))
    tunnel = await network.connect()
    await network.download(tunnel, 1000)
    await leave(network, tunnel)  # before any sweep
    assert network.received == []
    tunnel = await network.connect()
    await settle()
    assert network.sloks == [slok()]
    tunnel.abort()


@pytest.mark.parametrize(
    ("away", "settings"),
    [
        (KEPT + 1, {}),
        (1, {"session_id": "f" * 32}),
        (1, {"PropagationChannelId": "0123456789ABCDEF"}),
    ],
)
async def test_a_client_that_is_gone_too_long_or_is_another_begins_anew(
    rig: Callable[..., Rig], away: float, settings: dict[str, Any]
) -> None:
    channels = [CHANNEL, "0123456789ABCDEF"]
    network = rig(scheme(spec(0, down=1000), PropagationChannelIDs=channels))
    tunnel = await network.connect()
    await network.download(tunnel, 999)
    await leave(network, tunnel)
    await asyncio.sleep(away)
    tunnel = await network.connect(**settings)
    await network.download(tunnel, 999)
    await sweep()
    assert network.received == []
    tunnel.abort()


@pytest.mark.parametrize("session_id", ["", "not an ID", SESSION_ID + "0"])
async def test_nothing_is_kept_for_a_client_that_says_nothing_of_itself(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    network = rig(scheme(spec(0, down=1000)))
    login = {
        "SessionId": session_id,
        "SshPassword": network.server.entry.ssh_password,
        "ClientCapabilities": ["server-requests"],
    }
    monkeypatch.setattr(api, "password", lambda identity, dial: json.dumps(login))
    tunnel = await network.connect()
    await network.download(tunnel, 600)
    await leave(network, tunnel)
    assert len(network.server.worker.seed_states) == 0


async def test_idle_clients_leave_nothing(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, "8.8.8.8/32", down=1000)))
    tunnel = await network.connect()
    await network.download(tunnel, 600, ELSEWHERE)
    await leave(network, tunnel)
    assert len(network.server.worker.seed_states) == 0


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osl_seeding, "_MOST_KEPT", 3)
    config = osl_config(scheme(spec(0, down=2)))
    states = SeedStates(config, LoopClock())
    made = []
    for number in range(5):
        state = states.take("", CHANNEL, "")
        address = parse_address(ORIGIN)
        assert address is not None
        state.add(state.matching(address), 1, 0, 0, START)
        states.keep(str(number), state)
        made.append(state)
    assert len(states) == 3
    assert [states.take(str(number), CHANNEL, "") is made[number] for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert len(states) == 0


async def test_a_state_that_is_left_again_waits_its_time_anew() -> None:
    """Two tunnels of one client end at different times: nobody waits behind the first for the second."""
    config = osl_config(scheme(spec(0, down=2)))
    states = SeedStates(config, LoopClock())

    def leave(session_id: str) -> None:
        state = states.take("", CHANNEL, "")
        state.add(state.matching(ipaddress.ip_address(ORIGIN)), 1, 0, 0, START)
        states.keep(session_id, state)

    leave("twice")
    await asyncio.sleep(KEPT / 3)
    leave("once")
    await asyncio.sleep(KEPT / 3)
    leave("twice")
    await asyncio.sleep(0.7 * KEPT)
    states.take("", CHANNEL, "")
    assert len(states) == 1
    assert not states.take("twice", CHANNEL, "").untouched


# ---- reloading --------------------------------------------------------------------------------------------


async def test_another_configuration_discards_all_progress(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, down=1000)))
    tunnel = await network.connect()
    gone = await network.connect("f" * 32)
    await network.download(tunnel, 600)
    await network.download(gone, 600)
    gone.abort()
    await settle()
    assert len(network.server.worker.seed_states) == 1
    network.reload(scheme(spec(1, down=1000)))
    assert len(network.server.worker.seed_states) == 0
    await network.download(tunnel, 600)
    await sweep()
    assert network.received == []
    await network.download(tunnel, 400)
    await sweep()
    assert network.sloks == [slok(1)]
    tunnel.abort()


async def test_open_forwards_do_not_earn_keys_of_a_configuration_that_is_gone(
    rig: Callable[..., Rig],
) -> None:
    network = rig(scheme(spec(0, down=1000)))
    tunnel = await network.connect()
    _, destination = await network.forward(tunnel)
    network.reload(scheme(spec(1, down=1000)))
    destination.send(bytes(1000))
    await sweep()
    assert network.received == []
    tunnel.abort()


async def test_the_same_configuration_changes_nothing(rig: Callable[..., Rig]) -> None:
    network = rig(scheme(spec(0, down=1000)))
    tunnel = await network.connect()
    await network.download(tunnel, 600)
    network.reload(scheme(spec(0, down=1000)))
    await network.download(tunnel, 400)
    await sweep()
    assert network.sloks == [slok(0)]
    tunnel.abort()


async def test_schemes_that_appear_while_a_client_is_there(rig: Callable[..., Rig]) -> None:
    network = rig()
    tunnel = await network.connect()
    await network.download(tunnel, 600)
    await sweep()
    network.reload(scheme(spec(0, down=1000)))
    await network.download(tunnel, 1000)
    await sweep()
    assert network.sloks == [slok(0)]
    tunnel.abort()


async def test_a_reload_before_the_handshake(rig: Callable[..., Rig]) -> None:
    network = rig()
    tunnel = make_tunnel(network.server.entry, answer=network._answer)
    await tunnel.connect()
    network.reload(scheme(spec(0)))
    await tunnel.handshake()
    await network.download(tunnel, 1)
    await sweep()
    assert network.sloks == [slok(0)]
    tunnel.abort()
