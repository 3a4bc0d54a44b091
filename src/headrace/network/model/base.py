"""What all tables share: identifiers, times, optimistic locks, and for each column who may see it."""

import enum
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

import sqlalchemy
from sqlalchemy import DateTime, ForeignKey, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

__all__ = ["NAMING", "Audience", "Base", "Entity", "UtcTime", "audiences", "column", "shapes_entries"]

#: Constraints have names, so that migrations can name them.
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Audience(enum.StrEnum):
    """Who gets an extract of the model (operations spec §1.9)."""

    CLIENT = "client"  #: users: builds, bundles, lists, entries
    HOST = "host"  #: the one host that it is about
    PSINET = "psinet"  #: every server
    STATISTICS = "statistics"
    DEVOPS = "devops"  #: whoever deploys, patches and watches hosts
    FEEDBACK = "feedback"
    MAIL = "mail"


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone, kept in UTC; one without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sqlalchemy.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sqlalchemy.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The declarative base of all tables."""

    metadata = sqlalchemy.MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime(),
        list[str]: sqlalchemy.JSON(),
        list[int]: sqlalchemy.JSON(),
        dict[str, Any]: sqlalchemy.JSON(),
        list[dict[str, Any]]: sqlalchemy.JSON(),
    }


def column(
    *seen_by: Audience, refers: str = "", shapes_entries: bool = False, **options: Any
) -> MappedColumn[Any]:
    """Return a column that these audiences may see, and nobody else outside the management.

    `refers` is the column it is a foreign key to. With `shapes_entries`, clients see the difference when it
    changes, though never the value. Other options are those of `mapped_column`. JSON values are replaced,
    never changed in place.
    """
    # Checked at the end of a transaction: new rows may refer to one another in any order.
    foreign = [ForeignKey(refers, deferrable=True, initially="DEFERRED")] if refers else []
    if refers:
        options["index"] = True
    info = {"audiences": frozenset(seen_by), "shapes_entries": shapes_entries}
    return mapped_column(*foreign, info=info, **options)


def audiences(which: sqlalchemy.Column[Any]) -> frozenset[Audience]:
    """Return who may see a column. Raises KeyError for one that nobody has classified."""
    seen_by: frozenset[Audience] = which.info["audiences"]
    return seen_by


def shapes_entries(which: sqlalchemy.Column[Any]) -> bool:
    """Say whether clients see a difference when a column changes."""
    return Audience.CLIENT in audiences(which) or bool(which.info["shapes_entries"])


class Entity(Base):
    """A thing with an identity; it is written only by who has seen its latest revision."""

    __abstract__ = True

    id: Mapped[UUID] = column(primary_key=True, default=uuid4, sort_order=-2)
    revision: Mapped[int] = column(default=1, sort_order=-1)

    @sqlalchemy.orm.declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.revision}
