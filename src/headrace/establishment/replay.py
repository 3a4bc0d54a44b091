"""Doing again what worked on this network: when that may be done, when it is forgotten (client spec §1.10).

    it worked ──► kept ──► used ──► worked again: kept from now on
                   │        └─────► failed: dropped, as chance has it
                   └─ too old, or what it depended on is another: dropped when met

The wall clock says how old a record is, and may be set at any time. One from the future counts as just used:
it is dropped when it fails like any other, so nothing worse can come of it than one attempt.
"""

import enum
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import DialParameters, choose
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.replay_record import ReplayRecord, entry_state

__all__ = ["MemoryRecords", "Records", "Replay", "Verdict", "judge"]


class Records(Protocol):
    """Where records are kept, by the server's address and the network's ID."""

    def put(self, address: str, network_id: str, parameters: bytes) -> None: ...

    def get(self, address: str, network_id: str) -> bytes | None: ...

    def delete(self, address: str, network_id: str) -> None: ...

    def addresses(self, network_id: str) -> list[str]: ...


class Verdict(enum.Enum):
    """What to do with a record that was met."""

    USE = enum.auto()
    USE_THOUGH_CHANGED = enum.auto()  #: the configuration is another, which chance has us ignore
    DELETE = enum.auto()
    LEAVE = enum.auto()  #: of no use at this moment


def judge(
    record: ReplayRecord,
    entry: ServerEntry,
    allowed: Collection[str],
    *,
    config_state: str,
    now: float,
    settings: DialSettings,
    rng: Rng,
) -> Verdict:
    """Say what to do with `record` when `entry` may be dialled over the `allowed` protocols.

    `now` is in seconds since 1970.
    """
    if now - record.last_used >= settings.replay_ttl or record.entry_state != entry_state(entry):
        return Verdict.DELETE
    changed = record.config_state != config_state
    if changed and not rng.chance(settings.replay_ignore_changed_probability):
        return Verdict.DELETE
    if record.protocol not in allowed:
        # The first attempts may have a limit of their own; what is allowed later is worth keeping until then.
        later = settings.protocols(entry) + settings.protocols(entry, initial=True)
        return Verdict.LEAVE if record.protocol in later else Verdict.DELETE
    return Verdict.USE_THOUGH_CHANGED if changed else Verdict.USE


class Replay:
    """What is known to work. `now` is the wall clock, `config_state` stands for the configuration."""

    def __init__(
        self,
        records: Records,
        settings: DialSettings,
        rng: Rng,
        *,
        now: Callable[[], float],
        network_id: Callable[[], str] = lambda: "",
        config_state: str = "",
    ) -> None:
        self._records = records
        self._settings = settings
        self._rng = rng
        self._now = now
        self._config_state = config_state
        self.network_id = network_id  #: of the network we are in

    def recent(self) -> list[str]:
        """Return the addresses of servers with a record for this network; later it is seen if it is good."""
        return self._records.addresses(self.network_id())

    def choose(
        self, entry: ServerEntry, allowed: Collection[str], candidate_number: int = 1
    ) -> DialParameters | None:
        """Return the choices that worked with this server; None if new ones have to be made.

        Raises DocumentError if the entry lacks what the protocol needs.
        """
        most = self._settings.replay_candidates
        if self._settings.disable_replay or 0 <= most < candidate_number:
            return None
        network_id = self.network_id()
        record = self._load(entry.ip_address, network_id)
        if record is None:
            return None
        verdict = judge(
            record,
            entry,
            allowed,
            config_state=self._config_state,
            now=self._now(),
            settings=self._settings,
            rng=self._rng,
        )
        if verdict is Verdict.DELETE:
            self._records.delete(entry.ip_address, network_id)
        if verdict in (Verdict.DELETE, Verdict.LEAVE):
            return None
        fresh = choose(
            entry,
            record.protocol,
            self._rng,
            candidate_number,
            settings=self._settings,
            network_id=network_id,
        )
        return record.apply(fresh, ignored_change=verdict is Verdict.USE_THOUGH_CHANGED)

    def succeeded(self, attempt: DialParameters) -> None:
        """Keep what served well; of what was replayed, that it still does."""
        if not self._settings.replay_ttl:
            return
        address, network_id = attempt.entry.ip_address, attempt.network_id
        record = ReplayRecord.of(attempt, self._config_state, self._now())
        if attempt.replay_ignored_change:
            # It is still a record of the other configuration, to be ignored or not the next time.
            kept = self._load(address, network_id)
            if kept is None:
                return
            record = msgspec.structs.replace(record, config_state=kept.config_state)
        self._records.put(address, network_id, record.encode())

    def failed(self, attempt: DialParameters) -> None:
        """Drop a record whose replay failed, as chance has it. A fresh attempt's failure is nothing to it."""
        if attempt.is_replay and not self._rng.chance(self._settings.replay_retain_failed_probability):
            self._records.delete(attempt.entry.ip_address, attempt.network_id)

    def forget(self, address: str) -> None:
        """Drop what is known of the server at `address`, on this network."""
        self._records.delete(address, self.network_id())

    def _load(self, address: str, network_id: str) -> ReplayRecord | None:
        data = self._records.get(address, network_id)
        if data is None:
            return None
        try:
            return ReplayRecord.decode(data)
        except DocumentError:  # another version's, or damaged
            self._records.delete(address, network_id)
            return None


class MemoryRecords:
    """Records of a run that has no store."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], bytes] = {}

    def put(self, address: str, network_id: str, parameters: bytes) -> None:
        self._records[address, network_id] = parameters

    def get(self, address: str, network_id: str) -> bytes | None:
        return self._records.get((address, network_id))

    def delete(self, address: str, network_id: str) -> None:
        self._records.pop((address, network_id), None)

    def addresses(self, network_id: str) -> list[str]:
        return [address for address, network in self._records if network == network_id]
