"""What Alembic runs for each command: the migrations, in the transaction of the connection that it was handed."""

from alembic import context

from registry.index.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes few things of a table in place
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
