"""The tables, step by step: Alembic revisions, and the script that runs them."""
