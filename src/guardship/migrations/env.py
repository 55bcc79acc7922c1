"""Alembic's environment: the one registry of tables, every package's tables loaded."""

from alembic import context
from sqlalchemy import create_engine

from guardship.migrations.tables import METADATA


def _is_meant(_thing: object, name: str | None, kind: str, _is_reflected: bool, _compared: object) -> bool:
    """A new migration may be for the tables of one package alone: those whose names begin with it."""
    package = context.config.attributes.get("package")
    return kind != "table" or package is None or (name or "").startswith(f"{package}_")


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
                include_object=_is_meant,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


run()
