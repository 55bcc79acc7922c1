"""Bring a database to the newest shape. Alembic's scripts lie beside this file, in `versions`."""

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from guardship.errors import Fault, GuardshipError
from guardship.storage.database import Database

HERE = Path(__file__).parent


class DatabaseTooNew(GuardshipError):
    code = "migrations.database_too_new"
    fault = Fault.CONFLICT


def upgrade(path: Path) -> None:
    """Run what is missing, each step in a transaction of its own; quick when there is nothing to do."""
    newest = ScriptDirectory.from_config(config_for(path)).get_current_head()
    current = current_revision(path)
    if current == newest:
        return
    if current is not None and not _is_known(path, current):
        raise DatabaseTooNew(
            f"{path} was written by a newer Guardship ({current})", hint="install that version, or restore an older backup"
        )
    with closing(Database(path).raw_connection()):  # sets what only holds before the first table
        pass
    command.upgrade(config_for(path), "head")


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


def config_for(path: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    return config


def _is_known(path: Path, revision: str) -> bool:
    return any(script.revision == revision for script in ScriptDirectory.from_config(config_for(path)).walk_revisions())
