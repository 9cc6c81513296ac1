"""Alembic's entry: runs on the connection it is given, inside the caller's transaction."""

from alembic import context

from doorward.storage.schema.per_dialect import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
