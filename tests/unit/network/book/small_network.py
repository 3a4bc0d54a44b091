"""A network of one server, and what a test may change in it."""

from tests.stopped_clock import StoppedClock

from headrace.base.rng import SeededRng
from headrace.network.book import Book, Change
from headrace.network.model import LOCAL, Host, Provider, Server, Status
from headrace.network.vault import OperatorKey, passphrase_key

__all__ = ["NOW", "PSEUDONYM", "a_server", "key", "make_book"]

NOW = 1_800_000_000.0
PSEUDONYM = "dro fai mesk"


def key(passphrase: str = "a long enough passphrase") -> OperatorKey:
    """Return a key that costs next to nothing."""
    return passphrase_key(passphrase, cost=4)


def make_book(url: str) -> Book:
    """Return the book of a new network with one server that is published."""
    book = Book.create(url, key(), "test", clock=StoppedClock(NOW), rng=SeededRng(1))
    with book.change("ann", "set up") as change:
        provider = change.add(Provider(name="stratus", published_id="00112233AABBCCDD"))
        host = change.add(
            Host(
                name="h1",
                provider_id=provider.id,
                status=Status.ACTIVE,
                region="DE",
                deployment=LOCAL,
                created_at=change.now,
            )
        )
        a_server(change, host, PSEUDONYM, "192.0.2.1")
    return book


def a_server(change: Change, host: Host, pseudonym: str, address: str, **fields: object) -> Server:
    """Add a server that speaks SSH."""
    facts: dict[str, object] = {
        "pseudonym": pseudonym,
        "address": address,
        "status": Status.ACTIVE,
        "created_at": change.now,
        "tested_at": change.now,
        "capabilities": ["SSH"],
        "ssh_port": 22,
        "ssh_host_key": "AAAA",
        **fields,
    }
    server = change.add(Server(host_id=host.id, channel_id=change.channel("Testing").id, **facts))
    change.set_secrets(
        server, {"ssh_username": "u-" + pseudonym, "ssh_password": "p-" + pseudonym, "web_secret": "w" * 64}
    )
    return server
