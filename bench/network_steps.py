"""What an operator does with a network, timed in a process of its own: `python -m bench.network_steps STEP`.

    build DIRECTORY SERVERS CHANNELS SPONSORS    make a network: its servers are nowhere
    plan DIRECTORY                               what there is to publish: seconds, contents
    publish DIRECTORY                            publish it: seconds, contents, objects, megabytes of memory
    change DIRECTORY                             change one permanent server
    revoke DIRECTORY                             take a capability from all servers: seconds, servers

Each prints its figures as a JSON object.
"""

import base64
import ipaddress
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from headrace.base.rng import SYSTEM_RNG
from headrace.cli.network.publishing import publish_all, sources
from headrace.documents.capabilities import SHIPPED_PREFIXES
from headrace.network.book import Book
from headrace.network.book.identifiers import bucket_id, pseudonym, public_id, unused
from headrace.network.custody import add_key
from headrace.network.lifecycle.creation import give_role
from headrace.network.lifecycle.revoking import revoke
from headrace.network.model import Campaign, Host, PropagationChannel, Provider, Server, Sponsor, Status
from headrace.network.publish.publishing import plan_for
from headrace.network.rendering.network import NetworkRendering
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import make_key
from headrace.network.strategy.roles import Role
from headrace.network.strategy.selector import parse_selector
from headrace.network.vault import OperatorKey, passphrase_key
from headrace.ssh.host_keys import HostKey

#: Where servers are told to be: whoever dials one stays on this machine, and is refused.
_FIRST = ipaddress.IPv4Address("127.64.0.1")
_ROLES = (Role.PERMANENT, Role.PROPAGATION, Role.DISCOVERY, Role.OSL)
_REGIONS = ("DE", "FR", "NL", "SE", "CA", "SG")


def build(
    directory: str, servers: str, channels: str, sponsors: str, url: str = "https://storage.example.org"
) -> dict[str, float]:
    """Make a network that publishes to directories; with one channel, all servers are permanent."""
    place, rng = Path(directory), SYSTEM_RNG
    host_key = HostKey.generate("rsa", 2048)
    public = base64.b64encode(host_key.blob).decode()
    used: set[str] = set()
    with Book.create(str(place / "network.db"), _key(), "bench") as book:
        with book.change("bench", "build") as change:
            for purpose in (Purpose.LISTS, Purpose.ENTRIES, Purpose.EXCHANGE, Purpose.DISCOVERY):
                add_key(change, make_key(purpose, rng))
            settings = change.settings
            settings.public_store, settings.host_store = (
                (place / "public").as_uri(),
                (place / "hosts").as_uri(),
            )
            settings.bundle_directory, settings.extract_directory = (
                str(place / "bundles"),
                str(place / "extracts"),
            )
            settings.public_urls = [url]
            settings.client_settings = {
                "EstablishTunnelWorkTimeSeconds": 2.0,
                "FetchRemoteServerListRetryPeriodMilliseconds": 2000,
            }
            provider = change.add(Provider(name="bench", published_id=public_id(rng)))
            routes = [
                change.add(PropagationChannel(name=f"channel {number}", public_id=public_id(rng)))
                for number in range(int(channels))
            ]
            for number in range(int(sponsors)):
                pages = {"None": [f"https://{number}.example.org/"]}
                sponsor = change.add(
                    Sponsor(name=f"sponsor {number}", public_id=public_id(rng), home_pages=pages)
                )
                channel = routes[number % len(routes)]
                change.add(Campaign(sponsor_id=sponsor.id, channel_id=channel.id, bucket_id=bucket_id(rng)))
            for number in range(int(servers)):
                host = change.add(
                    Host(
                        name=f"host-{number:05}",
                        provider_id=provider.id,
                        status=Status.ACTIVE,
                        region=_REGIONS[number % len(_REGIONS)],
                        management_host_key="pinned",
                        created_at=change.now,
                    )
                )
                server = Server(
                    pseudonym=unused(pseudonym, used, rng),
                    host_id=host.id,
                    channel_id=routes[number % len(routes)].id,
                    address=str(_FIRST + number),
                    status=Status.ACTIVE,
                    capabilities=["SSH", "OSSH", SHIPPED_PREFIXES],
                    ssh_port=4000,
                    ossh_ports=[4001],
                    ssh_host_key=public,
                    created_at=change.now,
                    tested_at=change.now,
                )
                used.add(server.pseudonym)
                role = _ROLES[0 if len(routes) == 1 else number // len(routes) % len(_ROLES)]
                give_role(server, role, change.now, ["00"])
                change.set_secrets(
                    change.add(server),
                    {
                        "ssh_username": "psiphon_" + rng.bytes(8).hex(),
                        "ssh_password": rng.bytes(32).hex(),
                        "ssh_private_key": host_key.to_pem(),
                        "obfuscation_key": rng.bytes(32).hex(),
                        "web_secret": rng.bytes(32).hex(),
                    },
                )
    return {}


def plan(directory: str) -> dict[str, float]:
    """Plan a publication."""
    with _open(directory) as book:
        begun = time.monotonic()
        with book.view() as view:
            found = plan_for(view, NetworkRendering(view), sources())
        return {"seconds": time.monotonic() - begun, "contents": len(found)}


def publish(directory: str, first: str = "") -> dict[str, float]:
    """Publish all there is to publish, some kinds before all others."""
    from headrace.network.publish.kinds import kind_by_letter

    with _open(directory) as book:
        begun = time.monotonic()
        outcome = publish_all(book, first=[kind_by_letter(letter) for letter in first])
        seconds = time.monotonic() - begun
    assert outcome.complete, outcome
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "contents": outcome.published, "objects": outcome.objects, "MB": memory}


def change(directory: str) -> dict[str, float]:
    """Change what clients see of one permanent server."""
    with _open(directory) as book, book.change("bench", "change") as changes:
        changes.all(Server, Server.is_permanent.is_(True))[0].ssh_port = 4002
    return {}


def revoke_all(directory: str) -> dict[str, float]:
    """Take SSH from all servers, and plan what has to be published then."""
    with _open(directory) as book:
        begun = time.monotonic()
        with book.change("bench", "revoke", "a drill") as changes:
            done = revoke(changes, parse_selector("all"), ["SSH"])
            changes.settle()
            found = plan_for(changes, NetworkRendering(changes), sources())
            seconds = time.monotonic() - begun
        return {"seconds": seconds, "servers": len(done.servers), "contents": len(found)}


def _key() -> OperatorKey:
    return passphrase_key("a key for benches", cost=4)


def _open(directory: str) -> Book:
    return Book.open(str(Path(directory) / "network.db"), _key())


_STEPS: dict[str, Callable[..., dict[str, float]]] = {
    "build": build,
    "plan": plan,
    "publish": publish,
    "change": change,
    "revoke": revoke_all,
}

if __name__ == "__main__":
    print(json.dumps(_STEPS[sys.argv[1]](*sys.argv[2:])))
