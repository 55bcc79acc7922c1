"""`guardship database`: back up while the server runs, and restore while it does not."""

import fcntl
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from guardship.cli.failures import tell_failures
from guardship.cli.local_server import LocalServer, ServerNotRunning
from guardship.errors import Fault, GuardshipError
from guardship.settings import Settings
from guardship.storage.database import Database
from guardship.storage.layout import Layout

DATABASE_MEMBER = "guardship.db"
BLOBS_MEMBER = "blobs"
LOGS_MEMBER = "logs"

app = typer.Typer(help="Back up and restore.", no_args_is_help=True, add_completion=False)


class BackupError(GuardshipError):
    code = "cli.backup"
    fault = Fault.CONFLICT


@app.command("backup")
@tell_failures
def backup(target: Annotated[Path, typer.Argument(help="File to write, ending in .tar")]) -> None:
    """Write database, payloads and logs to one file, while the server runs or not. The vault key is not in it: keep that apart."""
    settings = _settings()
    layout = Layout(settings.home)
    if target.exists():
        raise BackupError(f"{target} is there already", hint="name a new file")
    if not target.absolute().parent.is_dir():
        raise BackupError(f"there is no folder {target.absolute().parent}", hint="make it first, or name another file")
    if not layout.database.exists():
        raise BackupError(f"there is no database in {settings.home}")
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".guardship-backup-") as folder:
        copy = Path(folder) / DATABASE_MEMBER
        database = Database(layout.database)
        try:
            database.backup(copy)
        finally:
            database.close()
        logs = Path(folder) / LOGS_MEMBER
        _export_logs(settings, logs)
        draft = Path(folder) / "backup.tar"
        with tarfile.open(draft, "w") as tar:
            tar.add(copy, DATABASE_MEMBER)
            tar.add(layout.blobs, BLOBS_MEMBER)
            if logs.exists():
                tar.add(logs, LOGS_MEMBER)
        draft.replace(target)
    typer.echo(
        f"{target}: {target.stat().st_size / 1_000_000:.1f} MB. Keep {layout.vault_key} apart: without it sealed secrets do not open."
    )


@app.command("restore")
@tell_failures
def restore(
    source: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Put a backup into the data folder; the server must not run."""
    settings = _settings()
    layout = Layout(settings.home)
    layout.make()
    with (layout.run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError("the server is running on this data folder", hint="stop it first") from error
        _unpack(source, layout, is_forced=force)
    typer.echo(f"restored into {settings.home}. Start the server with `guardship up`.")


def _settings() -> Settings:
    """Raises BackupError where the database is not a file of ours."""
    settings = Settings()
    if settings.database_url.get_secret_value():
        raise BackupError(
            "`guardship database` is for SQLite; this data folder's database is on PostgreSQL (database_url)",
            hint="back up with pg_dump, and keep `blobs`, `logs.duckdb` and, apart from it, `keys` of the data folder; restore with pg_restore",
        )
    return settings


def _export_logs(settings: Settings, folder: Path) -> None:
    """The running server exports its own log store; without one the file itself is copied."""
    layout = Layout(settings.home)
    try:
        LocalServer.find(settings.home).ask("POST", "maintenance/logs-export", {"folder": str(folder)}, seconds=600)
    except ServerNotRunning:
        if layout.logs.exists():
            folder.mkdir()
            shutil.copy2(layout.logs, folder / layout.logs.name)


def _unpack(source: Path, layout: Layout, *, is_forced: bool) -> None:
    """Look at the backup first: nobody should be asked to force what could not be put back."""
    with tempfile.TemporaryDirectory(dir=layout.home, prefix=".guardship-restore-") as folder:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a whole tar archive"
            raise BackupError(f"{source} is not a backup: {why}", hint="`guardship database backup FILE` writes one") from error
        copy = Path(folder) / DATABASE_MEMBER
        if not copy.exists():
            raise BackupError(f"{source} holds no database")
        with closing(sqlite3.connect(copy)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise BackupError(f"the database in {source} is damaged", hint="take another backup")
        if layout.database.exists() and not is_forced:
            raise BackupError(f"{layout.database} is there already", hint="use --force to replace it; what is there is lost")
        for leftover in layout.home.glob("guardship.db*"):
            leftover.unlink()
        copy.replace(layout.database)
        shutil.rmtree(layout.blobs, ignore_errors=True)
        (Path(folder) / BLOBS_MEMBER).rename(layout.blobs)
        logs = Path(folder) / LOGS_MEMBER
        if logs.exists():
            for leftover in layout.home.glob("logs.duckdb*"):
                leftover.unlink()
            for file in logs.iterdir():
                file.rename(layout.home / file.name)
