"""A network's database: made, opened, and handed out in views and changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import sqlalchemy
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import OperatorError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.network.book import identifiers
from headrace.network.book.backup import Progress, back_up, restore
from headrace.network.book.change import Change, Conflict, Invalid
from headrace.network.book.database import database_error, new_engine, open_engine, writing
from headrace.network.book.view import View
from headrace.network.migrations import current, upgrade
from headrace.network.model import TESTING, Meta, NetworkSettings, PropagationChannel
from headrace.network.vault import OperatorKey, Vault

__all__ = ["Book"]

_VAULT = "vault"


class Book:
    """The database of one network. It is closed by `close`, or as a context manager."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock, rng: Rng) -> None:
        self.clock, self.rng, self.vault = clock, rng, vault
        self._engine = engine
        self._writer = writing(engine)

    @classmethod
    def create(
        cls,
        url: str,
        key: OperatorKey,
        network_name: str,
        *,
        production: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        rng: Rng = SYSTEM_RNG,
    ) -> Self:
        """Make a network at a path or URL where none is yet. Raises OperatorError."""
        vault, header = Vault.create(key, rng)
        with _translated(), new_engine(url) as engine:
            with writing(engine).begin() as connection:
                if current(connection) is not None:
                    raise OperatorError("there is a network in this database already")
                upgrade(connection)
                connection.execute(sqlalchemy.insert(Meta).values(name=_VAULT, value=header))
            book = cls(engine, vault, clock, rng)
            with book.change("headrace", "init") as change:
                settings = change.add(NetworkSettings(network_name=network_name, production=production))
                change.set_secrets(settings, {"sample_key": rng.bytes(32).hex()})
                change.add(PropagationChannel(name=TESTING, public_id=identifiers.public_id(rng)))
        return book

    @classmethod
    def open(cls, url: str, key: OperatorKey, *, clock: Clock = SYSTEM_CLOCK, rng: Rng = SYSTEM_RNG) -> Self:
        """Open a network, brought up to this program's schema. Raises OperatorError, and WrongKey."""
        engine = open_engine(url)
        try:
            with _translated():
                with engine.connect() as connection:
                    if current(connection) is None:
                        raise OperatorError(
                            "there is no network in this database; `headrace network init` makes one"
                        )
                    header = connection.scalar(select(Meta.value).where(Meta.name == _VAULT))
                vault = Vault.open(header or b"", key)
                with writing(engine).begin() as connection:
                    upgrade(connection)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, vault, clock, rng)

    def rewrap(self, key: OperatorKey) -> None:
        """Put the network under another operator key; nothing that is sealed changes."""
        header = self.vault.rewrap(key, self.rng)
        with _translated(), self.write() as session:
            session.merge(Meta(name=_VAULT, value=header))
            session.commit()

    def back_up(self, progress: Progress = lambda _done, _total: None) -> bytes:
        """Return the whole network in one file, which opens with the operator's key."""
        with _translated(), self._engine.connect() as connection:
            header = connection.scalar(select(Meta.value).where(Meta.name == _VAULT)) or b""
            return back_up(connection, self.vault, header, progress)

    @staticmethod
    def restore(
        backup: bytes, url: str, key: OperatorKey, progress: Progress = lambda _done, _total: None
    ) -> None:
        """Make the network of a backup where there is none. Raises OperatorError, DocumentError, WrongKey."""
        with _translated(), new_engine(url) as engine:
            restore(backup, engine, key, progress)
            engine.dispose()

    @contextmanager
    def view(self) -> Iterator[View]:
        """Give out a view of the present moment; nothing can be written through it."""
        with _translated(), Session(self._engine, autoflush=False) as session:
            yield View(session, self.vault, self.clock.time())

    @contextmanager
    def change(self, actor: str, action: str, reason: str = "", *, dry_run: bool = False) -> Iterator[Change]:
        """Give out a change; it is committed when the block ends, or taken back if that fails or is dry.

        `action` is the command, for the audit log. Raises Invalid, Conflict, OperatorError.
        """
        with _translated(), Session(self._writer) as session:
            change = Change(session, self.vault, self.clock.time(), self.rng, actor, action, reason)
            yield change
            change.settle()
            change.write_audit()
            if dry_run:
                session.rollback()
            else:
                session.commit()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give out a session for records that are no part of the model: the ledger. The caller commits."""
        with _translated(), Session(self._writer) as session:
            yield session

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Raise errors of the database as ones for people."""
    try:
        yield
    except StaleDataError:
        raise Conflict("somebody else has changed this meanwhile; look at it again") from None
    except IntegrityError as error:
        raise Invalid(str(database_error(error))) from None
    except DBAPIError as error:
        raise database_error(error) from None
