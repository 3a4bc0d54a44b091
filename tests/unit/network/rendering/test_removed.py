"""A removed server is dropped from all lists at once, and its tag is invalid on all servers (spec §9.3)."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.network.networks import NOW, build_network

from headrace.documents.psinet import TAGS_TRUSTED, read_psinet
from headrace.network.book import View
from headrace.network.exports.forbidden import leaks
from headrace.network.lifecycle.standing import pause, remove
from headrace.network.model import PropagationChannel, Server
from headrace.network.rendering.network import NetworkRendering
from headrace.network.strategy.subset import Lists, osl_servers

_POOLS = 3


def everything(view: View) -> bytes:
    """Return all that tells anybody of servers but their own hosts: lists of all channels and psinet data."""
    rendering = NetworkRendering(view)
    servers = view.servers(Server.removed_at.is_(None))
    lists = Lists(servers, bytes.fromhex(view.secrets(view.settings)["sample_key"]))
    listed = [
        rendering.entries.encoded(server)
        for channel in view.all(PropagationChannel)
        for server in (
            *lists.listed(channel, 400),
            *lists.embedded(channel, 400),
            *osl_servers([channel.public_id], servers, view.now),
        )
    ]
    return "\n".join(listed).encode() + b"\n".join(rendering.psinet(pool) for pool in range(_POOLS))


@pytest.mark.parametrize("role", range(4))
def test_a_removed_server_of_each_role_is_in_nothing(tmp_path: Path, role: int) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        with book.change("ann", "test") as change:
            change.settings.discovery_pools = _POOLS
        with book.view() as view:
            server = view.server(f"198.18.0.{role + 1}")
            told = {
                server.address: "its address",
                server.tag: "its tag",
                **dict.fromkeys(view.secrets(server).values(), "a secret"),
            }
            assert {"its address", "its tag", "a secret"} == set(leaks(everything(view), told))
        with book.change("ann", "test") as change:
            remove(change, change.server(server.tag))
        with book.view() as view:
            assert leaks(everything(view), told) == []
            for pool in range(_POOLS):
                read = read_psinet(NetworkRendering(view).psinet(pool), modified=NOW)
                assert not read.is_valid_tag(server.tag, NOW)
                assert read.is_valid_tag(server.tag, NOW + TAGS_TRUSTED + 1), "an old file is not believed"


def test_a_paused_server_is_told_of_to_nobody_and_still_exists(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        with book.change("ann", "test") as change:
            pause(change.server("198.18.0.1"))
            change.server("198.18.0.3").discovery_end = change.now + timedelta(seconds=1)
        with book.view() as view:
            server = view.server("198.18.0.1")
            found = leaks(everything(view), {server.address: "its address", server.tag: "its tag"})
            assert found == ["its tag"]
