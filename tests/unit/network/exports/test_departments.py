"""Each department is given what its work needs of the network as it is."""

import json
from typing import Any

import pytest

from headrace.network.book import Book
from headrace.network.exports.departments import department_file
from headrace.network.lifecycle.standing import remove
from headrace.network.model import Audience, Campaign

FIRST = "198.18.0.1"


def extract(book: Book, audience: Audience) -> dict[str, Any]:
    with book.view() as view:
        data = department_file(view, audience)
        assert data.endswith(b"}\n") and department_file(view, audience) == data
    read: dict[str, Any] = json.loads(data)
    return read


def remove_first(book: Book) -> str:
    with book.change("ann", "test") as change:
        return remove(change, change.server(FIRST)).pseudonym


def test_statistics_tell_servers_apart_also_those_that_are_gone(book: Book) -> None:
    name = remove_first(book)
    read = extract(book, Audience.STATISTICS)
    servers = {server["pseudonym"]: server for server in read["servers"]}
    assert len(servers) == 4
    assert servers[name] == {
        "pseudonym": name,
        "address": FIRST,
        "status": "gone",
        "host": "machine-00000",
        "permanent": True,
        "embedded": False,
        "recipe": "recipe-plain",
    }
    assert {channel["name"] for channel in read["channels"]} == {"Testing", "channel-0"}
    assert {sponsor["name"] for sponsor in read["sponsors"]} == {"sponsor-0"}


def test_statistics_read_the_logs_of_hosts_and_nothing_else_there(book: Book) -> None:
    remove_first(book)
    hosts = {host["name"]: host for host in extract(book, Audience.STATISTICS)["hosts"]}
    assert hosts.keys() == {"machine-00001", "machine-00002", "machine-00003"}
    host = hosts["machine-00001"]
    assert (host["user"], host["provider"], host["region"]) == ("log-reader", "stratus-hosting", "FR")
    with book.view() as view:
        assert host["credential"] == view.secrets(view.host("machine-00001"))["log_credential"]


def test_devops_reach_hosts_and_know_what_runs_there(book: Book) -> None:
    remove_first(book)
    with book.change("ann", "test") as change:
        change.settings.ssh_allow_list = ["192.0.2.0/24"]
    read = extract(book, Audience.DEVOPS)
    hosts = {host["name"]: host for host in read["hosts"]}
    assert hosts.keys() == {"machine-00001", "machine-00002", "machine-00003"}
    assert read["ssh_allow_list"] == ["192.0.2.0/24"]
    host = hosts["machine-00001"]
    with book.view() as view:
        server = view.server("198.18.0.2")
        assert host["credential"] == view.secrets(server.host)["management_credential"]
        assert host["host_key"] == server.host.management_host_key
    (managed,) = host["servers"]
    assert managed["pseudonym"] == server.pseudonym
    assert managed["ports"] == {"SSH": server.ssh_port, "OSSH": server.ossh_ports[-1]}


def test_feedback_knows_servers_by_address_and_the_one_that_has_it_now(book: Book) -> None:
    gone = remove_first(book)
    read = extract(book, Audience.FEEDBACK)
    assert read["pseudonyms"][FIRST] == gone and len(read["pseudonyms"]) == 4
    with book.change("ann", "test") as change:
        other = change.server("198.18.0.2")
        other.address = FIRST
        name = other.pseudonym
    assert extract(book, Audience.FEEDBACK)["pseudonyms"][FIRST] == name
    with book.view() as view:
        assert extract(book, Audience.FEEDBACK)["buckets"] == [each.bucket_id for each in view.all(Campaign)]


def test_mail_is_for_campaigns_with_an_address(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.settings.responder_address = "get@mail.example"
        (campaign,) = change.all(Campaign)
        campaign.languages = ["fa"]
    read = extract(book, Audience.MAIL)
    assert read["sender"] == "get@mail.example"
    (mailed,) = read["campaigns"]
    assert (mailed["account"], mailed["languages"]) == ("get-0-0@mail.example", ["fa"])
    with book.change("ann", "test") as change:
        change.all(Campaign)[0].account = ""
    assert extract(book, Audience.MAIL)["campaigns"] == []


@pytest.mark.parametrize("audience", [Audience.CLIENT, Audience.HOST, Audience.PSINET])
def test_others_are_no_departments(book: Book, audience: Audience) -> None:
    with book.view() as view, pytest.raises(KeyError):
        department_file(view, audience)
