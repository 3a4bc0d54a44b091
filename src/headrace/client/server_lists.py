"""A client's sources of servers beyond those it was given: lists from storage, common and obfuscated.

Two loops, one for each kind, sleep until more servers are wanted (client spec §1.12). Fetching goes on beside
connecting, and what it brings can be dialled at once. A list is believed for its signature, wherever it came
from. Its ETag is kept once all of it is in the store, so that whatever fails before is done again.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from headrace.base.clock import Clock
from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client.common_list import CommonList
from headrace.client.data_directory import DataDirectory
from headrace.client.downloads import Downloads
from headrace.client.fetcher import RETRY_PERIOD, Fetcher
from headrace.client.list_import import Importer
from headrace.client.notices import Notices
from headrace.client.obfuscated_lists import ObfuscatedLists
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.client_config import ClientConfig
from headrace.net.http import Connector, HttpClient
from headrace.net.tls import Trust
from headrace.store.client.store import ClientStore

__all__ = ["ServerLists"]

#: Seconds between attempts to fetch, whatever is configured: storage that fails at once is not hammered.
SHORTEST_PAUSE: Final = 0.05


class ServerLists:
    """The lists that `config` names, fetched on connections made by `connect`."""

    def __init__(
        self,
        config: ClientConfig,
        store: ClientStore,
        directory: DataDirectory,
        importer: Importer,
        notices: Notices,
        rng: Rng,
        clock: Clock,
        *,
        connect: Connector,
        tunneled: Callable[[], bool],
        user_agent: str,
    ) -> None:
        self._common: Fetcher | None = None
        self._obfuscated: Fetcher | None = None
        lists, roots = config.remote_server_lists, config.obfuscated_server_list_roots
        if config.disable_remote_server_list_fetcher or (lists is None and roots is None):
            return
        if config.target_server_entry:  # no other server will ever be dialled
            return
        key = PackageVerifyingKey.from_text(config.remote_server_list_signature_public_key)
        trust = Trust.from_config(config)
        milliseconds = config.fetch_remote_server_list_retry_period_milliseconds
        retry_period = RETRY_PERIOD if milliseconds is None else max(SHORTEST_PAUSE, milliseconds / 1000)

        def downloads() -> Downloads:
            return Downloads(
                HttpClient(connect, trust),
                store,
                notices,
                tunneled,
                user_agent=user_agent,
                show_urls=config.emit_diagnostic_network_parameters,
                clock=clock,
            )

        def warn(what: str, error: HeadraceError) -> None:
            notices.warning(f"fetching {what}: {error}")

        def fetcher(source: CommonList | ObfuscatedLists, failed: Callable[[HeadraceError], None]) -> Fetcher:
            return Fetcher(source.fetch, failed, rng, retry_period=retry_period)

        if lists is not None:
            common = CommonList(lists, key, directory.remote_server_list, downloads(), importer, rng)
            self._common = fetcher(common, partial(warn, "the remote server list"))
        if roots is not None:
            failed = partial(warn, "obfuscated server lists")
            obfuscated = ObfuscatedLists(roots, key, directory, store, downloads(), importer, failed, rng)
            self._obfuscated = fetcher(obfuscated, failed)

    @property
    def any(self) -> bool:
        """Whether there is any list to fetch."""
        return self._common is not None or self._obfuscated is not None

    def want(self) -> None:
        """Ask for more servers: what was not fetched lately is fetched now. Never blocks."""
        for fetcher in (self._common, self._obfuscated):
            if fetcher is not None:
                fetcher.want()

    def seeded(self) -> None:
        """New keys have come: obfuscated lists that were closed to us may be open."""
        if self._obfuscated is not None:
            self._obfuscated.want(anew=True)

    async def run(self) -> None:
        """Fetch whenever asked to, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for fetcher in (self._common, self._obfuscated):
                if fetcher is not None:
                    group.create_task(fetcher.run())
