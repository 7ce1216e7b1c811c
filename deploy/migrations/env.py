"""Alembic runs this file. The connection comes from deploy/migrate.py; there is no alembic.ini and no offline mode."""

from alembic import context

from deploy.schema import COMPARISON, METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite cannot alter a column: Alembic copies the table instead.
    render_as_batch=True,
    **COMPARISON,
)
# Whoever opened the connection commits it, so that all revisions come or none does.
context.run_migrations()
