"""New servers. Users are told of one only after a client has gone through it (operations spec §1.7)."""

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select

from headrace.base.errors import OperatorError
from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS, SHIPPED_PREFIXES
from headrace.documents.osl.paver import current_osl_id
from headrace.network.book import Change
from headrace.network.book.identifiers import pseudonym, unused
from headrace.network.exports.host import osl_config
from headrace.network.lifecycle.making import make_host_secrets, make_server_secrets
from headrace.network.lifecycle.stepping import step_back
from headrace.network.model import LOCAL, Host, PropagationChannel, Provider, ProviderRank, Server, Status
from headrace.network.rendering.ports import protocol_ports
from headrace.network.strategy.choice import choose_provider
from headrace.network.strategy.recipes import draw, shipped_recipes
from headrace.network.strategy.roles import Role, discovery_range, osl_range
from headrace.ssh.host_keys import HostKey

__all__ = ["Machine", "check_host_name", "create_server", "give_role", "record_test"]

_REGION: Final = re.compile(r"[A-Z]{2}")
#: What can name a directory and a machine.
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The lowest port that a server on this machine is given unless one is asked for: it may not run as root.
_LOWEST_LOCAL_PORT: Final = 1024
_MOST_PORT: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of a machine: enough to publish what runs on it, and to reach it."""

    address: str  #: public
    region: str
    name: str = ""  #: drawn if empty
    deployment: str = LOCAL
    datacenter: str = ""
    internal_address: str = ""
    egress_address: str = ""
    management_address: str = ""
    management_port: int = 22
    management_user: str = ""
    management_host_key: str = ""
    management_credential: str = field(default="", repr=False)


def create_server(
    change: Change,
    channel: PropagationChannel,
    machine: Machine,
    role: Role,
    *,
    provider: Provider | None = None,
    ports: Mapping[str, int] | None = None,
    taken: Collection[int] = (),
    osl_ids: Sequence[str] = (),
    host_key: HostKey | None = None,
) -> Server:
    """Add a host with a server on it, with all its keys, and return the server; it is not tested yet.

    Ports are drawn by a recipe for the role unless `ports` says protocol -> port; `taken` are those that
    something else has there, besides the servers that are known. The provider is drawn by weight unless
    given. A server for obfuscated lists is in `osl_ids`, or in the present list of each of the channel's
    schemes. Raises OperatorError.
    """
    address = _checked(machine)
    if machine.name and change.all(Host, Host.name == machine.name):
        raise OperatorError(f"there is, or was, a host {machine.name} already: give it another name")
    if role == Role.OSL and not osl_ids:
        osl_ids = _present_lists(change, channel)
    provider = provider or _draw_provider(change, channel)
    taken = {*taken, *_ports_at(change, address)}
    drawn = None
    if ports is None:
        drawn = draw(
            change.rng,
            shipped_recipes(),
            role,
            provider,
            standard=change.settings.ossh_ports,
            taken=taken,
            lowest=_LOWEST_LOCAL_PORT if machine.deployment == LOCAL else 1,
        )
        ports = dict(drawn.ports)
    _check_ports(ports, taken)
    capabilities = [*ports, *([SHIPPED_PREFIXES] if "OSSH" in ports else [])]
    host = _add_host(change, machine, provider, capabilities)
    made = make_server_secrets(capabilities, change.rng, host_key)
    names = set(change.session.scalars(select(Server.pseudonym)))
    server = change.add(
        Server(
            pseudonym=unused(pseudonym, names, change.rng),
            status=Status.ACTIVE,
            host_id=host.id,
            channel_id=channel.id,
            address=address,
            internal_address=machine.internal_address,
            egress_address=machine.egress_address,
            capabilities=capabilities,
            created_at=change.now,
            ssh_port=ports.get("SSH", 0),
            ossh_ports=[ports["OSSH"]] if "OSSH" in ports else [],
            recipe=drawn.recipe if drawn is not None else "",
            recipe_seed=drawn.seed if drawn is not None else "",
            rate_limit=drawn.rate_limit if drawn is not None else "",
            **made.columns,
        )
    )
    change.set_secrets(server, made.secrets)
    give_role(server, role, change.now, osl_ids)
    change.session.flush()
    return server


def check_host_name(name: str) -> None:
    """Insist on a name that a directory can have as well. Raises OperatorError."""
    if not _HOST_NAME.fullmatch(name):
        raise OperatorError(f"{name!r} is no name of a host: use up to 64 letters, digits, hyphens and dots")


def give_role(server: Server, role: Role, now: datetime, osl_ids: Sequence[str] = ()) -> None:
    """Have a server reach users by a role, from now or the next midnight on; other roles it keeps."""
    match role:
        case Role.PERMANENT:
            server.is_permanent = True
        case Role.PROPAGATION:
            server.is_embedded = True
        case Role.DISCOVERY:
            server.discovery_start, server.discovery_end = discovery_range(now)
        case Role.OSL:
            server.osl_start, server.osl_end = osl_range(now)
            server.osl_ids = list(osl_ids)
        case Role.RETAINED:
            pass


def record_test(change: Change, server: Server, failures: Sequence[str]) -> bool:
    """Record how a test of a server went: without failures users may be told of it from now on.

    Older ones that it was made to replace step back then. Returns whether it passed. A failure takes nothing
    back: a server that has passed before stays known.
    """
    change.record("servers", server.pseudonym, {"test": "passed" if not failures else list(failures)})
    if not failures:
        server.tested_at = change.now
        step_back(change, server)
    return not failures


def _add_host(change: Change, machine: Machine, provider: Provider, capabilities: Sequence[str]) -> Host:
    made = make_host_secrets(capabilities, change.rng)
    host = change.add(
        Host(
            name=machine.name or f"host-{change.rng.bytes(5).hex()}",
            provider_id=provider.id,
            status=Status.ACTIVE,
            region=machine.region,
            datacenter=machine.datacenter,
            deployment=machine.deployment,
            management_address=machine.management_address,
            management_port=machine.management_port,
            management_user=machine.management_user,
            management_host_key=machine.management_host_key,
            created_at=change.now,
            **made.columns,
        )
    )
    credential = {"management_credential": machine.management_credential or None}
    change.set_secrets(host, {**made.secrets, **credential})
    return host


def _draw_provider(change: Change, channel: PropagationChannel) -> Provider:
    providers = change.all(Provider)
    if not providers:
        raise OperatorError("there is no provider; add one with `headrace network provider add`")
    return choose_provider(change.rng, providers, change.all(ProviderRank), channel)


def _present_lists(change: Change, channel: PropagationChannel) -> list[str]:
    """Return the IDs of the obfuscated lists of a channel whose keys are earned now, one for each scheme."""
    now = int(change.now.timestamp()) * 1_000_000_000
    found = [
        current_osl_id(scheme, channel.public_id, now).hex()
        for scheme in osl_config(change).schemes
        if channel.public_id in scheme.propagation_channel_ids
    ]
    if not found:
        raise OperatorError(
            f"the channel {channel.name} is in no scheme of obfuscated lists: add it to one in the setting"
            " osl_schemes, or choose another role"
        )
    return found


def _ports_at(change: Change, address: str) -> set[int]:
    """Return the ports that servers have already which are at this address."""
    there = change.all(Server, Server.address == address, Server.removed_at.is_(None))
    return {
        port
        for server in there
        for port in (*protocol_ports(server.host, server).values(), *server.ossh_ports)
        if port
    }


def _checked(machine: Machine) -> str:
    """Return the machine's address as it is usually written. Raises OperatorError."""
    try:
        address = str(ipaddress.ip_address(machine.address))
    except ValueError:
        address = ""
    if not address or "%" in address:
        raise OperatorError(f"{machine.address!r} is not an IP address: give the one that clients connect to")
    if not _REGION.fullmatch(machine.region):
        raise OperatorError(
            f"{machine.region!r} is not a region: give a country code of two letters, like DE"
        )
    if machine.name:
        check_host_name(machine.name)
    if machine.deployment != LOCAL and not machine.management_host_key:
        raise OperatorError(
            "the machine's SSH host key has to be known before the first connection: give it, as ssh-keyscan"
            " on the machine itself prints it"
        )
    return address


def _check_ports(ports: Mapping[str, int], taken: Collection[int]) -> None:
    if not ports or not set(ports) <= set(IMPLEMENTED_PROTOCOLS):
        raise OperatorError(f"a server needs {' or '.join(IMPLEMENTED_PROTOCOLS)}, and speaks nothing else")
    for protocol, port in ports.items():
        if not 0 < port <= _MOST_PORT:
            raise OperatorError(f"{protocol} cannot be on port {port}: give one from 1 to {_MOST_PORT}")
        if port in taken:
            raise OperatorError(f"port {port} is taken at this address: give another one for {protocol}")
    if len(set(ports.values())) < len(ports):
        raise OperatorError("two protocols cannot share a port: give each one its own")
