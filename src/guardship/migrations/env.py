"""Alembic's environment: the one registry of tables, every package's tables loaded."""

from alembic import context
from sqlalchemy import create_engine

from guardship.migrations.tables import METADATA


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url") or ""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=METADATA,
                render_as_batch=True,
                transaction_per_migration=True,
                compare_type=False,
                user_module_prefix="schema.",
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


run()
