"""What must not leave is found in whatever it was wrapped, and what may leave is not taken for it."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.network.exports.full_server import with_everything
from tests.unit.network.networks import build_network

from headrace.network.book import Book, View
from headrace.network.exports.forbidden import forbidden_values, leaks
from headrace.network.model import Audience, Host, PropagationChannel, Server, Sponsor
from headrace.network.publish.kinds import Kind
from headrace.network.publish.sources.extracts import KINDS
from headrace.network.rendering.network import NetworkRendering
from headrace.network.strategy.subset import Lists, discovery_servers, osl_servers

SECRET = 'not for everybody: \u00e9\U0001f512 "quoted" a\\b'


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of a network of two channels with two servers in each role."""
    place: Path = tmp_path_factory.mktemp("network")
    with build_network(place) as book:
        yield book


def escaped(data: bytes) -> bytes:
    """Return text as JSON has it which keeps to ASCII."""
    return json.dumps({"text": data.decode()}).encode()


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda data: b"x" + data.hex().encode(),
    "upper-case hex": lambda data: data.hex().upper().encode(),
    "hex after a digit": lambda data: b"7" + data.hex().encode(),
    "base64": base64.b64encode,
    "base64 in a URL": lambda data: b"https://example.com/" + base64.urlsafe_b64encode(data).rstrip(b"="),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "JSON": escaped,
    "JSON in capitals": lambda data: escaped(data).replace(b"\\u00e9", b"\\u00E9"),
    "JSON in JSON": lambda data: escaped(escaped(data)),
    "base64 of zlib of JSON": lambda data: base64.b64encode(zlib.compress(escaped(data))),
    "hex of JSON": lambda data: escaped(data).hex().encode(),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_leak_is_found_in_each_wrapping(wrapping: str) -> None:
    wrapped = WRAPPINGS[wrapping](f"before {SECRET} after".encode())
    assert leaks(wrapped, {SECRET: "a secret"}) == ["a secret"]
    assert leaks(wrapped, {SECRET + "!": "another"}) == []


@pytest.mark.parametrize("address", ["198.18.0.1", "2001:db8::5"])
def test_an_address_is_not_found_in_another(address: str) -> None:
    forbidden = {address: "an address"}
    for text in (f'"{address}"', f"[{address}]", f"at {address}.", f"udp://{address}/"):
        assert leaks(text.encode(), forbidden), text
    for text in (f"{address}7", f"1{address}", f"{address}.4", f"9.{address}"):
        assert not leaks(text.encode(), forbidden), text
    assert leaks(b"198.18.0.1:22", {"198.18.0.1": "an address"})


def live(view: View) -> list[Server]:
    return list(view.servers(Server.removed_at.is_(None)))


@pytest.fixture(scope="module")
def full_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of a network whose servers do all there is, two of them on one host."""
    place: Path = tmp_path_factory.mktemp("full")
    with build_network(place, servers_per_role=1) as book:
        with book.change("ann", "build") as change:
            settings = change.settings
            settings.server_settings = {"AllowBogons": False}
            settings.client_settings = {"ConnectionWorkerPoolSize": 7}
            settings.blocklist = "192.0.2.7,test,bad\n"
            settings.ssh_allow_list = ["192.0.2.128/25"]
            settings.egress_rules = ["drop all of it"]
            settings.responder_address = "responder@mail.example"
            for number, server in enumerate(change.servers()):
                with_everything(change, server)
                server.egress_address = f"203.0.113.{number + 1}"
                server.host.passthrough_address = f"passthrough-{number}.example:443"
                server.host.fronting_hosts = [f"alternate-{number}-{each}.example" for each in range(9)]
                server.host.fronting_addresses = [f"front-{number}-{each}.example" for each in range(9)]
        with book.change("ann", "build") as change:
            change.server("198.18.0.2").host_id = change.server("198.18.0.1").host_id
        yield book


@pytest.fixture(params=["book", "full_book"])
def each_book(request: pytest.FixtureRequest) -> Book:
    """Each of the two."""
    book: Book = request.getfixturevalue(request.param)
    return book


def test_hosts_are_given_nothing_but_their_own(each_book: Book) -> None:
    with each_book.view() as view:
        rendering, servers = NetworkRendering(view), live(view)
        for host in view.all(Host):
            own = [server for server in servers if server.host_id == host.id]
            forbidden = forbidden_values(view, Audience.HOST, own, told=own)
            files = rendering.host_files(host)
            assert bool(files) == bool(own)
            for name, data in files.items():
                assert leaks(data, forbidden) == [], name


def test_psinet_data_have_nothing_of_servers_that_nobody_is_told_of(each_book: Book) -> None:
    with each_book.view() as view:
        servers = live(view)
        told = discovery_servers(servers, view.now, timedelta(hours=view.settings.discovery_horizon_hours))
        assert 0 < len(told) < len(servers)
        data = NetworkRendering(view).psinet(0)
        assert leaks(data, forbidden_values(view, Audience.PSINET, servers, told=told)) == []
        # The check can fail: without what is in entries, all of that is too much.
        found = leaks(data, forbidden_values(view, Audience.PSINET, servers))
        assert {"servers.address", "servers.secret.ssh_password", "providers.published_id"} <= set(found)


@pytest.mark.parametrize("kind", KINDS)
def test_departments_are_given_nothing_else(each_book: Book, kind: Kind) -> None:
    with each_book.view() as view:
        files = NetworkRendering(view).extract(kind)
        assert files
        for name, data in files.items():
            assert leaks(data, forbidden_values(view, KINDS[kind])) == [], name
            assert leaks(data, forbidden_values(view, Audience.CLIENT)) != [], name


def test_lists_have_no_other_servers(each_book: Book) -> None:
    with each_book.view() as view:
        rendering, servers = NetworkRendering(view), live(view)
        lists = Lists(servers, bytes.fromhex(view.secrets(view.settings)["sample_key"]))
        for channel in view.all(PropagationChannel):
            for listed in (lists.listed(channel, 3), osl_servers([channel.public_id], servers, view.now)):
                forbidden = forbidden_values(view, Audience.CLIENT, listed, told=listed)
                data = "\n".join(rendering.entries.encoded(server) for server in listed).encode()
                assert leaks(data, forbidden) == []
                if listed:
                    fewer = forbidden_values(view, Audience.CLIENT, listed[1:], told=listed[1:])
                    assert "servers.address" in leaks(data, fewer)


def test_what_is_forbidden_is_all_there_is_but_for_what_is_not(book: Book) -> None:
    with book.view() as view:
        server, sponsor = live(view)[0], view.all(Sponsor)[0]
        forbidden = forbidden_values(view, Audience.PSINET)
        assert forbidden[server.pseudonym] == "servers.pseudonym"
        assert forbidden[view.secrets(server)["web_secret"]] == "servers.secret.web_secret"
        assert forbidden[view.secrets(server.host)["console"]] == "hosts.secret.console"
        assert forbidden[sponsor.name] == "sponsors.name"
        assert sponsor.public_id not in forbidden and server.tag not in forbidden
        others = forbidden_values(view, Audience.HOST, [server])
        assert server.address not in others and server.host.name not in others
        other = live(view)[1]
        assert {other.address, other.host.name, other.tag} <= others.keys()
        assert server.host.provider.published_id in others
        assert server.host.provider.published_id not in forbidden_values(
            view, Audience.HOST, [server], told=[server]
        )
