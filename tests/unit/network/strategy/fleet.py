"""Entities of a network in memory, as a view would give them."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headrace.network.model import Host, PropagationChannel, Provider, Server, Status

NOW = datetime(2026, 3, 15, 13, 45, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = bytes(range(32))

_numbers: Iterator[int] = itertools.count(1)


def channel(name: str = "", **fields: Any) -> PropagationChannel:
    """Return a channel; its ages are not set, as those of a new one."""
    number = next(_numbers)
    given = {
        "id": UUID(int=number),
        "public_id": f"{number:016X}",
        "name": name or f"channel {number}",
        "max_propagation_age": 0,
        "max_discovery_age": 0,
        "max_osl_age": 0,
    }
    return PropagationChannel(**given | fields)


def provider(name: str = "acme", **fields: Any) -> Provider:
    given = {"id": UUID(int=next(_numbers)), "name": name, "image": "debian-12", "weight": 1, "ssh_port": 22}
    return Provider(**given | fields)


def host(at: Provider | None = None, **fields: Any) -> Host:
    number = next(_numbers)
    at = at or provider()
    given = {
        "id": UUID(int=number),
        "name": f"host-{number}",
        "status": Status.ACTIVE,
        "provider": at,
        "provider_id": at.id,
        "region": "DE",
        "created_at": NOW - 30 * DAY,
        "software": "headrace 0.1.0",
    }
    return Host(**given | fields)


def server(of: PropagationChannel, on: Host | None = None, **fields: Any) -> Server:
    """Return a server that is published, without a role."""
    number = next(_numbers)
    on = on or host()
    given = {
        "id": UUID(int=number),
        "pseudonym": f"server {number}",
        "status": Status.ACTIVE,
        "host": on,
        "host_id": on.id,
        "channel": of,
        "channel_id": of.id,
        "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "tag": f"tag{number}",
        "capabilities": ["ssh-api-requests", "SSH", "OSSH"],
        "created_at": NOW - 30 * DAY,
        "tested_at": NOW - DAY,
        "is_permanent": False,
        "is_embedded": False,
        "osl_ids": [],
        "ssh_port": 22,
        "ossh_ports": [443],
    }
    return Server(**given | fields)


def servers(count: int, of: PropagationChannel, **fields: Any) -> list[Server]:
    """Return several that share a host."""
    shared = fields.pop("on", None) or host()
    return [server(of, shared, **fields) for _ in range(count)]
