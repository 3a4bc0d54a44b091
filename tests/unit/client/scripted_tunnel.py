"""A tunnel that does what a test says, for whatever works on tunnels that are up."""

import asyncio

from tests.memory_network import client_config

from headrace.base.errors import HandshakeTimeout, HeadraceError
from headrace.base.rng import SeededRng
from headrace.client.api import Identity
from headrace.client.tunnel import REQUEST_TIMEOUT, Tunnel
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose

ENTRY = ServerEntry.from_fields(
    {
        "ipAddress": "192.0.2.1",
        "sshPort": 22,
        "sshHostKey": "a2V5",
        "capabilities": ["SSH"],
        "webServerSecret": "the secret",
    }
)


class ScriptedTunnel(Tunnel):
    """A tunnel that is up. `heard_at` is when the server was last heard; requests are answered at once.

    With an `error`, requests fail at once; while it is `silent`, they end when their time is up.
    """

    def __init__(self) -> None:
        identity = Identity.from_config(client_config())
        super().__init__(
            choose(ENTRY, "SSH", SeededRng(1)), identity, SeededRng(1), lambda name, payload: None
        )
        self.heard_at = 0.0
        self.requests: list[tuple[float, str, float, bytes]] = []  # time, name, timeout, payload
        self.error: HeadraceError | None = None
        self.silent = False
        self.reply: bytes | None = b""
        self.aborted_at: float | None = None
        self.transferred = (0, 0)
        self._answers = asyncio.Event()

    @property
    def silent_for(self) -> float:
        return now() - self.heard_at

    @property
    def bytes_transferred(self) -> tuple[int, int]:
        return self.transferred

    async def request(self, name: bytes, payload: bytes, timeout: float | None = None) -> bytes | None:
        timeout = REQUEST_TIMEOUT if timeout is None else timeout
        self.requests.append((now(), name.decode(), timeout, payload))
        if self.error is not None:
            raise self.error
        if self.silent:
            try:
                async with asyncio.timeout(timeout):
                    await self._answers.wait()
            except TimeoutError:
                raise HandshakeTimeout("no answer") from None
        self.heard_at = now()
        return self.reply

    def answer_all(self) -> None:
        """Answer what was asked, and from now on."""
        self.silent = False
        self._answers.set()

    def abort(self) -> None:
        self.aborted_at = now()
        if not self.ended.done():
            self.ended.set_result(None)

    def times(self, name: str) -> list[float]:
        return [time for time, asked, _, _ in self.requests if asked == name]


def now() -> float:
    return asyncio.get_running_loop().time()
