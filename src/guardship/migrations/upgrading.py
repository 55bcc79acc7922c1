"""Bring a database to the newest shape. Alembic's scripts lie beside this file, in `versions`, numbered in their order."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from guardship.errors import Fault, GuardshipError
from guardship.storage.database import Database
from guardship.storage.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent


class DatabaseTooNew(GuardshipError):
    code = "migrations.database_too_new"
    fault = Fault.CONFLICT


def upgrade(place: Path | str) -> None:
    """Run what is missing, each step in a transaction of its own; quick when there is nothing to do."""
    database = Database(place)
    try:
        _upgrade(database)
    finally:
        database.close()


def _upgrade(database: Database) -> None:
    known = revisions()
    current = _revision(database)
    if current == known[-1]:
        return
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"{database.kind} was written by a newer Guardship ({current})", hint="install that version, or restore an older backup"
        )
    from alembic import command  # late: 0.3 s that only a changed database has to wait for

    if database.is_sqlite:
        with closing(database.raw_connection()):  # sets what only holds before the first table
            pass
    command.upgrade(config_for(database), "head")


def revisions() -> list[str]:
    """The numbers of the migrations, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (HERE / "versions").glob("[0-9]*.py"))


def current_revision(place: Path | str) -> str | None:
    database = Database(place)
    try:
        return _revision(database)
    finally:
        database.close()


def _revision(database: Database) -> str | None:
    if isinstance(database.kind, SqliteFile):
        if not database.kind.path.exists():
            return None
    else:
        database.kind.check(database.ask)
    with database.engine.execution_options(guardship_reading=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None


def config_for(database: Database) -> "Config":
    from alembic.config import Config  # late, as above

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["engine"] = database.kind.make_plain_engine()
    return config
