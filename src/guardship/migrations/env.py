"""Alembic's environment: the one registry of tables, every package's tables loaded."""

from alembic import context
from sqlalchemy import Connection, Engine, func, select

from guardship.migrations.tables import METADATA


def _is_meant(_thing: object, name: str | None, kind: str, _is_reflected: bool, _compared: object) -> bool:
    """A new migration may be for the tables of one package alone: those whose names begin with it."""
    package = context.config.attributes.get("package")
    return kind != "table" or package is None or (name or "").startswith(f"{package}_")


def _wait_for_others(connection: Connection) -> None:
    """Of several processes that start at once one upgrades; the others find nothing left to do. Closing gives the lock back."""
    from guardship.storage.postgres import UPGRADE_LOCK  # late: only who has a server loads its driver

    connection.execute(select(func.pg_advisory_lock(UPGRADE_LOCK)))
    connection.commit()


def run() -> None:
    engine: Engine = context.config.attributes["engine"]
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                _wait_for_others(connection)
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
