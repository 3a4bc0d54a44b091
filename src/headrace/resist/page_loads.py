"""Page loads through our client and server, each on a tunnel of its own."""

import secrets
from dataclasses import replace
from ssl import SSLError, TLSVersion

from headrace.base.errors import HeadraceError, OperatorError
from headrace.base.rng import Rng
from headrace.client.tunnel import Tunnel
from headrace.establishment.dial_parameters import choose
from headrace.net.streams import ByteStream, ChannelStream
from headrace.resist.pages import visit
from headrace.resist.subjects import Ours, OurServer
from headrace.resist.websites import Websites, trusting
from headrace.ssh.forwarding import Destination

__all__ = ["PageLoads"]


class PageLoads(Ours):
    """Clients that load a page each: over TLS, one half 1.2, the other 1.3, or without it.

    A page takes `streams` connections through the tunnel: the first, then the rest at the same time. With
    `shaped` our two ends disguise how each of them begins.
    """

    def __init__(
        self,
        server: OurServer,
        mode: str,
        rng: Rng,
        websites: Websites,
        *,
        shaped: bool,
        tls: bool = True,
        streams: int = 1,
    ) -> None:
        super().__init__(server, mode, rng)
        self._shaped, self._tls, self._streams = shaped, tls, streams
        self._websites = websites

    async def _one(self) -> None:
        rng = self._rng
        attempt = choose(self._entry, "OSSH", rng, settings=self._settings)
        attempt = replace(attempt, shape_streams=self._shaped)
        identity = replace(self._identity, session_id=secrets.token_hex(16))
        tunnel = Tunnel(attempt, identity, rng, lambda name, payload: None)

        async def connect(port: int) -> ByteStream:
            destination = Destination("127.0.0.1", port)
            return await ChannelStream.open(lambda endpoint: tunnel.open(destination, endpoint))

        version = rng.choice((TLSVersion.TLSv1_2, TLSVersion.TLSv1_3))
        sites = [site.port for site in self._websites.tls if site.version is version]
        port = rng.choice(sites if self._tls else self._websites.nginx)
        try:
            await tunnel.connect()
            await tunnel.handshake()
            await visit(connect, port, trusting(version) if self._tls else None, rng, streams=self._streams)
        except (HeadraceError, SSLError) as error:
            raise OperatorError(f"a page could not be loaded: {error}") from error
        tunnel.close()
        await tunnel.ended
