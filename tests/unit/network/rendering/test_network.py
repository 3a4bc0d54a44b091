"""What is published is made of what a view sees, and of nothing that is gone."""

from pathlib import Path

from sqlalchemy import event
from tests.unit.network.networks import build_network

from headrace.network.lifecycle.standing import remove
from headrace.network.model import Host
from headrace.network.publish.kinds import Kind
from headrace.network.rendering.network import NetworkRendering

FIRST = "198.18.0.1"


def test_a_removed_server_is_in_nothing_but_statistics_and_feedback(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book:
        with book.change("ann", "test") as change:
            server = change.server(FIRST)
            tag, host = server.tag, server.host.name
            remove(change, server)
        with book.view() as view:
            rendering = NetworkRendering(view)
            assert rendering.host_files(view.host(host)) == {}
            assert tag.encode() not in rendering.psinet(0)
            for kind, there in {
                Kind.STATISTICS: True,
                Kind.FEEDBACK: True,
                Kind.DEVOPS: False,
                Kind.MAIL: False,
            }.items():
                (data,) = rendering.extract(kind).values()
                assert (b'"198.18.0.1"' in data) == there, kind


def test_extracts_have_the_names_of_what_they_are(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book, book.view() as view:
        assert NetworkRendering(view).extract(Kind.DEVOPS).keys() == {"devops.json"}


def test_lists_are_copied_once_while_there_is_one_key(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=1, channels=1) as book, book.view() as view:
        (copy,) = NetworkRendering(view).copies()
        assert copy.folder == "" and copy.entry_signer is not None


def test_many_hosts_take_no_query_each(tmp_path: Path) -> None:
    with build_network(tmp_path, servers_per_role=5, channels=1) as book, book.view() as view:
        rendering, hosts = NetworkRendering(view), view.all(Host)
        rendering.host_files(hosts[0])
        rendering.entries.encoded(view.server(FIRST))
        statements: list[str] = []

        def note(*call: object) -> None:
            statements.append(str(call[2]))

        event.listen(view.session.get_bind(), "before_cursor_execute", note)
        for host in hosts:
            assert rendering.host_files(host)
        tables = ("servers", "hosts", "secrets")
        assert not [each for each in statements if any(f"FROM {table}" in each for table in tables)]
