"""All that is published of a network, made when it is asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

from headrace.documents.osl.config import OslConfig
from headrace.network.book import View
from headrace.network.custody import entry_signer
from headrace.network.exports.departments import department_file
from headrace.network.exports.host import host_files, osl_config
from headrace.network.exports.psinet import psinet_file
from headrace.network.model import Host, Server, Status
from headrace.network.publish.copies import list_copies
from headrace.network.publish.kinds import Kind
from headrace.network.publish.sources.extracts import KINDS
from headrace.network.publish.sources.material import ListCopy
from headrace.network.rendering.entries import EntryRenderer

__all__ = ["NetworkRendering"]


class NetworkRendering:
    """Makes what is published out of what a view sees."""

    def __init__(self, view: View) -> None:
        self._view = view

    @cached_property
    def entries(self) -> EntryRenderer:
        """What makes the entries that servers hand out."""
        return EntryRenderer(self._view, entry_signer(self._view))

    @cached_property
    def _servers(self) -> Sequence[Server]:
        """All servers that are alive, with their secrets at hand."""
        servers = self._view.servers(Server.status.not_in((Status.REMOVING, Status.GONE)))
        self._view.load_secrets([*servers, *{server.host for server in servers}])
        return servers

    @cached_property
    def _by_host(self) -> Mapping[Host, Sequence[Server]]:
        found: dict[Host, list[Server]] = {}
        for server in self._servers:
            found.setdefault(server.host, []).append(server)
        return found

    def copies(self) -> Sequence[ListCopy]:
        """Return how often lists are published, the usual names first. Raises OperatorError."""
        _ = self._servers  # their secrets are needed by all that is made of them
        return list_copies(self._view, partial(EntryRenderer, self._view))

    def osl_config(self) -> OslConfig:
        """Return the schemes with their master keys. Raises DocumentError, OperatorError."""
        return osl_config(self._view)

    def host_files(self, host: Host) -> Mapping[str, bytes]:
        """Return the files of a host by name."""
        return host_files(self._view, host, self._by_host.get(host, ()), self.entries)

    def psinet(self, pool: int) -> bytes:
        """Return the psinet data for the hosts of a pool."""
        return psinet_file(self._view, self._servers, self.entries, pool)

    def extract(self, kind: Kind) -> Mapping[str, bytes]:
        """Return the files of an extract by name."""
        return {f"{kind}.json": department_file(self._view, KINDS[kind])}
