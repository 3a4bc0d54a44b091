"""What Alembic runs for a command: on the connection that it was handed, in the transaction of that."""

from alembic import context

from headrace.network.model import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
