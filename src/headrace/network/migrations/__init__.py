"""The steps that bring a network's database to this program's schema, one after another.

Each step is written out and never changed again, so that any older database can follow.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

__all__ = ["current", "upgrade"]


def current(connection: Connection) -> str | None:
    """Return the step that a database has reached, or None where there is no network."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection) -> None:
    """Take all steps that a database has not taken."""
    configuration = Config()
    configuration.set_main_option("script_location", "headrace.network:migrations")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")
