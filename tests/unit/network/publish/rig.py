"""A network to publish, what is rendered of it in the simplest way, and places that remember and fail."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from tests import osl_configs
from tests.package_keys import KEY
from tests.stopped_clock import StoppedClock

from headrace.base.rng import SeededRng
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.entry_fields import encode_fields
from headrace.documents.osl.config import OslConfig, read_osl_config
from headrace.documents.osl.paver import current_osl_id
from headrace.network.book import Book, Change, View
from headrace.network.model import (
    LOCAL,
    Campaign,
    Host,
    PropagationChannel,
    Provider,
    Server,
    Sponsor,
    Status,
)
from headrace.network.publish.kinds import Kind
from headrace.network.publish.outcome import Outcome
from headrace.network.publish.places import Places
from headrace.network.publish.publishing import publish
from headrace.network.publish.sources.material import ListCopy
from headrace.network.publish.stores.store import StoreUnavailable
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.vault import passphrase_key

NOW = 1_800_000_000.0
DAY = 24 * 3600.0
OSL_CHANNEL = "0123456789ABCDEF"
SCHEME = osl_configs.scheme(
    Epoch="2026-12-01T00:00:00Z",
    PropagationChannelIDs=[OSL_CHANNEL],
    SeedPeriodNanoseconds=24 * osl_configs.HOUR,
    SeedPeriodKeySplits=[{"Total": 10, "Threshold": 2}],
)


def make_network(url: str, *, hosts: int = 4) -> Book:
    """Return the book of a network with two channels, three campaigns, and a server on each host.

    The first server is permanent, the second is in lists, the third is discovered, the fourth is in
    obfuscated lists; all are of the channel "mail".
    """
    key = passphrase_key("a long enough passphrase", cost=4)
    book = Book.create(url, key, "test", clock=StoppedClock(NOW), rng=SeededRng(1))
    with book.change("ann", "set up") as change:
        provider = change.add(Provider(name="stratus", published_id="00112233AABBCCDD"))
        mail = change.add(PropagationChannel(name="mail", public_id=OSL_CHANNEL))
        web = change.add(PropagationChannel(name="web", public_id="FEDCBA9876543210"))
        sponsor = change.add(Sponsor(name="lantern", public_id="AAAABBBBCCCCDDDD"))
        for channel, bucket in ((mail, "web/mail-1"), (mail, "web/mail-2"), (web, "web/web-1")):
            change.add(
                Campaign(sponsor_id=sponsor.id, channel_id=channel.id, bucket_id=bucket, account=bucket)
            )
        roles: list[dict[str, object]] = [
            {"is_permanent": True},
            {"is_embedded": True},
            {
                "discovery_start": change.now - timedelta(days=1),
                "discovery_end": change.now + timedelta(days=6),
            },
            {
                "osl_start": change.now - timedelta(days=1),
                "osl_end": change.now + timedelta(days=14),
                "osl_ids": [osl_id()],
            },
        ]
        for number in range(hosts):
            host = add_host(change, provider, f"h{number}")
            add_server(change, host, mail, number, **(roles[number] if number < len(roles) else {}))
    return book


def osl_id() -> str:
    """Return the id of the list whose time it is."""
    config = read_osl_config(osl_configs.config_bytes(SCHEME))
    return current_osl_id(config.schemes[0], OSL_CHANNEL, int(NOW * 1e9)).hex()


def add_host(change: Change, provider: Provider, name: str) -> Host:
    return change.add(
        Host(
            name=name,
            provider_id=provider.id,
            status=Status.ACTIVE,
            region="DE",
            deployment=LOCAL,
            created_at=change.now,
        )
    )


def add_server(
    change: Change, host: Host, channel: PropagationChannel, number: int, **fields: object
) -> Server:
    facts: dict[str, object] = {
        "pseudonym": f"server number {number}",
        "address": f"198.18.{number >> 8}.{number & 255}",
        "status": Status.ACTIVE,
        "created_at": change.now,
        "tested_at": change.now,
        "capabilities": ["SSH"],
        "ssh_port": 22,
        "ssh_host_key": "AAAA",
        **fields,
    }
    server = change.add(Server(host_id=host.id, channel_id=channel.id, **facts))
    change.set_secrets(server, {"web_secret": f"{number:064x}", "ssh_username": "u", "ssh_password": "p"})
    return server


class Entries:
    """Entries without keys."""

    def version(self, server: Server) -> str:
        return str(server.configuration_version)

    def encoded(self, server: Server) -> str:
        return encode_fields(
            {
                "ipAddress": server.address,
                "tag": server.tag,
                "sshPort": server.ssh_port,
                "configurationVersion": server.configuration_version,
            }
        )


class PlainRendering:
    """What the tests have rendered; `copies` may be set to more than one."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.entries = Entries()

    def copies(self) -> Sequence[ListCopy]:
        return [ListCopy("", Signer(), self.entries)]

    def osl_config(self) -> OslConfig:
        return read_osl_config(osl_configs.config_bytes(SCHEME))

    def host_files(self, host: Host) -> Mapping[str, bytes]:
        servers = self._view.all(Server, Server.host_id == host.id)
        return {
            "server.json": json.dumps({"traffic": self._view.settings.traffic_rules}).encode(),
            "entries.json": json.dumps([self.entries.encoded(server) for server in servers]).encode(),
        }

    def psinet(self, pool: int) -> bytes:
        tags = [server.tag for server in self._view.all(Server, Server.removed_at.is_(None))]
        return json.dumps({"pool": pool, "tags": sorted(tags)}).encode()

    def extract(self, kind: Kind) -> Mapping[str, bytes]:
        names = [server.pseudonym for server in self._view.all(Server)]
        return {f"{kind}.json": json.dumps(names).encode()}


class Signer:
    """The tests' key."""

    key_id = base64.b64decode(KEY.digest)[:8].hex()
    digest = KEY.digest
    public: PackageVerifyingKey = KEY.public

    def sign(self, message: bytes) -> bytes:
        return KEY.sign(message)


class Crash(BaseException):
    """The machine stops."""


class Memory:
    """A store, and hosts, in memory. `before` is called with each step before it is done, and may raise."""

    def __init__(self, before: Callable[[str, str], None] = lambda _what, _name: None) -> None:
        self.objects: dict[str, bytes] = {}
        self.steps: list[tuple[str, str]] = []
        self.before = before
        self.spoils: set[str] = set()  #: names of objects that do not arrive as they were

    def _step(self, what: str, name: str) -> None:
        self.before(what, name)
        self.steps.append((what, name))

    def names(self, prefix: str = "") -> Iterator[str]:
        return (name for name in self.objects if name.startswith(prefix))

    def done(self, what: str) -> list[str]:
        """Return what was put, deleted or reloaded since the last time."""
        names = [name for each, name in self.steps if each == what]
        self.steps = [step for step in self.steps if step[0] != what]
        return names


class MemoryStore(Memory):
    def put(self, item: StoredObject) -> None:
        self._step("put", item.name)
        self.objects[item.name] = item.data[:-1] if item.name in self.spoils else item.data

    def get(self, name: str) -> bytes | None:
        self._step("get", name)
        return self.objects.get(name)

    def digest(self, name: str) -> str | None:
        data = self.objects.get(name)
        return None if data is None else StoredObject(name, data).sha256

    def delete(self, name: str) -> None:
        self._step("delete", name)
        self.objects.pop(name, None)


class MemoryHosts(Memory):
    def __init__(self, before: Callable[[str, str], None] = lambda _what, _name: None) -> None:
        super().__init__(before)
        self.unreachable: set[str] = set()

    def put(self, host_name: str, file_name: str, data: bytes) -> None:
        self._reach(host_name)
        name = f"{host_name}/{file_name}"
        self._step("put", name)
        self.objects[name] = data[:-1] if name in self.spoils else data

    def get(self, host_name: str, file_name: str) -> bytes | None:
        return self.objects.get(f"{host_name}/{file_name}")

    def digest(self, host_name: str, file_name: str) -> str | None:
        self._reach(host_name)
        data = self.get(host_name, file_name)
        return None if data is None else StoredObject(file_name, data).sha256

    def delete(self, host_name: str, file_name: str) -> None:
        self._reach(host_name)
        self._step("delete", f"{host_name}/{file_name}")
        self.objects.pop(f"{host_name}/{file_name}", None)

    def reload(self, host_name: str) -> None:
        self._reach(host_name)
        self._step("reload", host_name)

    def _reach(self, host_name: str) -> None:
        if host_name in self.unreachable:
            raise StoreUnavailable(f"the host {host_name} does not answer")


class Rig:
    """A network with places in memory."""

    def __init__(self, url: str, *, hosts: int = 4) -> None:
        self.book = make_network(url, hosts=hosts)
        self.store, self.hosts, self.exports = MemoryStore(), MemoryHosts(), MemoryStore()

    @property
    def places(self) -> Places:
        return Places(self.store, self.hosts, self.exports)

    @property
    def clock(self) -> StoppedClock:
        assert isinstance(self.book.clock, StoppedClock)
        return self.book.clock

    def publish(
        self,
        *,
        only: Sequence[Kind] | None = None,
        first: Sequence[Kind] = (),
        only_due: bool = False,
        workers: int = 1,
    ) -> Outcome:
        return publish(
            self.book,
            PlainRendering,
            self.places,
            only=only,
            first=first,
            only_due=only_due,
            workers=workers,
        )

    def everything(self) -> dict[str, bytes]:
        """Return all that is published, wherever."""
        return {
            **{f"store {name}": data for name, data in self.store.objects.items()},
            **{f"hosts {name}": data for name, data in self.hosts.objects.items()},
            **{f"exports {name}": data for name, data in self.exports.objects.items()},
        }

    def change_port(self, number: int, port: int) -> None:
        """Change what clients see of a server."""
        with self.book.change("ann", "change port") as change:
            change.server(f"server number {number}").ssh_port = port
