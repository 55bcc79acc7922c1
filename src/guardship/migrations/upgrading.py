"""Bring a database to the newest shape. Alembic's scripts lie beside this file, in `versions`, numbered in their order."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

from guardship.errors import Fault, GuardshipError
from guardship.storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent


class DatabaseTooNew(GuardshipError):
    code = "migrations.database_too_new"
    fault = Fault.CONFLICT


def upgrade(path: Path) -> None:
    """Run what is missing, each step in a transaction of its own; quick when there is nothing to do."""
    known = revisions()
    current = current_revision(path)
    if current == known[-1]:
        return
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"{path} was written by a newer Guardship ({current})", hint="install that version, or restore an older backup"
        )
    from alembic import command  # late: 0.3 s that only a changed database has to wait for

    with closing(Database(path).raw_connection()):  # sets what only holds before the first table
        pass
    command.upgrade(config_for(path), "head")


def revisions() -> list[str]:
    """The numbers of the migrations, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (HERE / "versions").glob("[0-9]*.py"))


def current_revision(path: Path) -> str | None:
    if not path.exists():
        return None
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            known = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).first()
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first() if known else None
            return str(row[0]) if row else None
    finally:
        engine.dispose()


def config_for(path: Path) -> "Config":
    from alembic.config import Config  # late, as above

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    return config
