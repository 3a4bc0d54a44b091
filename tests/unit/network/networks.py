"""A network to try things on: channels, sponsors, campaigns, and servers in each role, with their secrets."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.package_keys import KEY
from tests.stopped_clock import StoppedClock

from headrace.base.rng import Rng, SeededRng
from headrace.documents.capabilities import SHIPPED_PREFIXES
from headrace.network.book import Book, Change
from headrace.network.book.identifiers import bucket_id, pseudonym, public_id
from headrace.network.custody import add_key
from headrace.network.model import (
    LOCAL,
    Campaign,
    ClientVersion,
    Host,
    PropagationChannel,
    Provider,
    Server,
    Sponsor,
    Status,
)
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import adopt_key, make_key
from headrace.network.vault import OperatorKey, passphrase_key
from headrace.ssh.host_keys import HostKey

__all__ = ["NOW", "ROLES", "add_server", "build_network", "network_key"]

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
ROLES = ("permanent", "propagation", "discovery", "osl")

_HOST_KEY = HostKey.generate("ed25519")
_REGIONS = ("DE", "FR", "NL", "SE")


def network_key() -> OperatorKey:
    """Return what opens the network; it costs next to nothing."""
    return passphrase_key("a long enough passphrase", cost=2)


def build_network(
    place: Path | str,
    *,
    servers_per_role: int = 2,
    channels: int = 2,
    sponsors: int = 1,
    campaigns_each: int | None = None,
    with_osl_key: bool = True,
    seed: int = 1,
) -> Book:
    """Return the book of a new network at a directory or URL.

    Channel `channel-0` and so on has `servers_per_role` in each role; each sponsor has a campaign for
    each channel, or for as many of them as `campaigns_each` says.
    """
    url = str(place / "network.db") if isinstance(place, Path) else place
    rng = SeededRng(seed)
    book = Book.create(url, network_key(), "test-network", clock=StoppedClock(NOW), rng=rng)
    with book.change("ann", "build") as change:
        add_key(change, adopt_key(Purpose.LISTS, KEY.to_text()))
        add_key(change, make_key(Purpose.ENTRIES, rng))
        add_key(change, make_key(Purpose.EXCHANGE, rng))
        add_key(change, make_key(Purpose.DISCOVERY, rng))
        if with_osl_key:
            add_key(change, make_key(Purpose.OSL, rng, name="scheme-master"))
        provider = change.add(
            Provider(
                name="stratus-hosting", published_id=public_id(rng), driver=LOCAL, image="debian-base-12"
            )
        )
        change.set_secrets(provider, {"credentials": "provider-credentials-" + rng.bytes(8).hex()})
        made = [
            change.add(PropagationChannel(name=f"channel-{number}", public_id=public_id(rng)))
            for number in range(channels)
        ]
        brands = [_sponsor(change, number, rng) for number in range(sponsors)]
        for place_of_brand, brand in enumerate(brands):
            for step in range(channels if campaigns_each is None else campaigns_each):
                channel = made[(place_of_brand + step) % channels]
                change.add(
                    Campaign(
                        sponsor_id=brand.id,
                        channel_id=channel.id,
                        bucket_id=bucket_id(rng),
                        account=f"get-{place_of_brand}-{step}@mail.example",
                    )
                )
        settings = change.settings
        settings.default_sponsor_id = brands[0].id
        settings.public_store = "file:///nowhere/public"
        settings.public_urls = ["https://storage.example/bucket"]
        settings.default_alert_action_urls = {"unsafe-traffic": ["https://help.example/unsafe"]}
        change.set_secrets(settings, {"store_secret_key": "store-secret-" + rng.bytes(8).hex()})
        change.add(ClientVersion(platform="Windows", version=7, note="a note on it", created_at=change.now))
        number = 0
        for channel in made:
            for role in ROLES:
                for _ in range(servers_per_role):
                    add_server(change, channel, provider, role, number)
                    number += 1
    return book


def add_server(
    change: Change, channel: PropagationChannel, provider: Provider, role: str, number: int
) -> Server:
    """Add a host with one server that is published in a role."""
    rng = change.rng
    host = change.add(
        Host(
            name=f"machine-{number:05}",
            provider_id=provider.id,
            status=Status.ACTIVE,
            region=_REGIONS[number % len(_REGIONS)],
            datacenter=f"datacenter-{number % 5}",
            management_address=f"10.9.{number // 250}.{number % 250 + 1}",
            management_user="root-of-all",
            log_user="log-reader",
            management_host_key="ssh-ed25519 AAAAC3-" + rng.bytes(6).hex(),
            software="headrace 0.1.0",
            created_at=change.now,
        )
    )
    change.set_secrets(
        host,
        {
            "management_credential": "management-" + rng.bytes(8).hex(),
            "log_credential": "logs-" + rng.bytes(8).hex(),
            "console": "console-" + rng.bytes(8).hex(),
        },
    )
    day = timedelta(days=1)
    roles: dict[str, dict[str, Any]] = {
        "permanent": {"is_permanent": True},
        "propagation": {"is_embedded": True},
        "discovery": {"discovery_start": change.now - day, "discovery_end": change.now + 6 * day},
        "osl": {
            "osl_start": change.now - day,
            "osl_end": change.now + 14 * day,
            "osl_ids": [channel.public_id],
        },
    }
    server = change.add(
        Server(
            pseudonym=pseudonym(rng),
            host_id=host.id,
            channel_id=channel.id,
            address=f"198.18.{number // 250}.{number % 250 + 1}",
            internal_address=f"10.200.{number // 250}.{number % 250 + 1}",
            status=Status.ACTIVE,
            capabilities=["SSH", "OSSH", SHIPPED_PREFIXES],
            ssh_port=2000 + number % 1000,
            ossh_ports=[3000 + number % 1000],
            ssh_host_key=_public(_HOST_KEY),
            created_at=change.now - timedelta(minutes=1),
            tested_at=change.now,
            recipe="recipe-plain",
            recipe_seed="seed-" + rng.bytes(4).hex(),
            **roles[role],
        )
    )
    change.set_secrets(
        server,
        {
            "ssh_username": "psiphon_" + rng.bytes(8).hex(),
            "ssh_password": rng.bytes(32).hex(),
            "ssh_private_key": _HOST_KEY.to_pem(),
            "obfuscation_key": rng.bytes(32).hex(),
            "web_secret": rng.bytes(32).hex(),
        },
    )
    return server


def _public(key: HostKey) -> str:
    return base64.b64encode(key.blob).decode()


def _sponsor(change: Change, number: int, rng: Rng) -> Sponsor:
    return change.add(
        Sponsor(
            name=f"sponsor-{number}",
            public_id=public_id(rng),
            home_pages={"None": [f"https://home-{number}.example/?client_region=XX"]},
            page_view_rules=[{"regex": "page-view-rule", "replace": "x"}],
            https_request_rules=[{"regex": rf"site-{number}\.example", "replace": "site"}],
            website_banner_link="https://banner-link.example/",
        )
    )
