"""What is kept beside the entities: sealed secrets, what was published, and who did what."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Integer, LargeBinary
from sqlalchemy.orm import Mapped

from headrace.network.model.base import Base, column

__all__ = ["APPEND_ONLY", "AuditEvent", "ImportedSignature", "Meta", "Published", "SealedSecrets"]


class Meta(Base):
    """How the database is opened."""

    __tablename__ = "meta"

    name: Mapped[str] = column(primary_key=True)
    value: Mapped[bytes] = column(type_=LargeBinary)


class SealedSecrets(Base):
    """All secrets of one owner, sealed together under the operator's key."""

    __tablename__ = "secrets"

    owner_id: Mapped[UUID] = column(primary_key=True)
    sealed: Mapped[bytes] = column(type_=LargeBinary)


class ImportedSignature(Base):
    """A signature made elsewhere, by a key whose private half is not here."""

    __tablename__ = "signatures"

    key_id: Mapped[str] = column(primary_key=True)
    sha256: Mapped[str] = column(primary_key=True)  #: of what is signed, in hexadecimal
    signature: Mapped[bytes] = column(type_=LargeBinary)
    imported_at: Mapped[datetime] = column()


class Published(Base):
    """The ledger: what is known to be at one place, and how the last attempt to renew it went."""

    __tablename__ = "published"

    kind: Mapped[str] = column(primary_key=True)
    key: Mapped[str] = column(primary_key=True)
    place: Mapped[str] = column(primary_key=True)
    applied: Mapped[str] = column(default="")  #: digest of what it was made from; none: nothing is there
    applied_at: Mapped[datetime | None] = column(default=None)
    parts: Mapped[dict[str, Any]] = column(default=dict)  #: what it was made from: part -> version
    objects: Mapped[dict[str, Any]] = column(default=dict)  #: name -> SHA-256 of the bytes
    attempts: Mapped[int] = column(default=0)  #: that failed since
    error: Mapped[str] = column(default="")
    next_attempt: Mapped[datetime | None] = column(default=None)


class AuditEvent(Base):
    """One thing that was changed, by whom and why. Secrets are shown as fingerprints."""

    __tablename__ = "audit"

    number: Mapped[int] = column(
        primary_key=True, type_=BigInteger().with_variant(Integer, "sqlite"), autoincrement=True
    )
    at: Mapped[datetime] = column()
    actor: Mapped[str] = column()
    reason: Mapped[str] = column(default="")
    action: Mapped[str] = column()  #: the command
    kind: Mapped[str] = column()  #: of object
    object_id: Mapped[UUID | None] = column(default=None, index=True)
    object_name: Mapped[str] = column(default="")
    before: Mapped[dict[str, Any]] = column(default=dict)
    after: Mapped[dict[str, Any]] = column(default=dict)


#: Statements that make the audit table append-only, by dialect.
APPEND_ONLY: Final = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
    ),
}
