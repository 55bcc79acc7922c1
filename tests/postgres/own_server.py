"""A real PostgreSQL for tests: made in a temporary folder, reached by a socket there alone, stopped by its process id.

Nothing of it is switched off: it syncs to disk as a user's does. PostgreSQL refuses to run as root, so there it becomes somebody else.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url
from tests.hosts import cannot

from guardship.storage.database import Database

START_SECONDS = 30.0
OLDEST = 15
WITH_TABLES = "with_tables"
PASSWORD = "a-word-that-is-in-no-log"


def binaries() -> Path:
    """The newest PostgreSQL of this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found and int(found[-1].parts[-3]) >= OLDEST:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        cannot("needs PostgreSQL 15 or newer")
    return Path(on_path).resolve().parent


class OwnServer:
    def __init__(self, *, encoding: str = "UTF8") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gspg-", dir="/tmp"))  # the name of a socket may have 107 characters
        self._data = self.folder / "data"
        self._bin = binaries()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _somebody()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid}
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb", "-D", str(self._data), "-E", encoding, "--locale=C", "-U", "guardship", "-A", "scram-sha-256", "--pwfile", str(secret)
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://guardship:{PASSWORD}@/{database}?host={self.folder}"

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        command = [
            str(self._bin / "postgres"),
            "-D",
            str(self._data),
            "-k",
            str(self.folder),
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
        ]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder, **self._as)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.05)

    def stop(self, *, at_once: bool = False) -> None:
        """`at_once`: as after a fall, without a checkpoint; what is committed is found again in its log."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        self.process.wait(30)
        self.process = None

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop(at_once=True)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """The address of a database of this name, with all tables; it is made when there is none."""
        made_of(self.url(), name)
        return self.url(name)

    def empty_database(self, name: str) -> str:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run([str(self._bin / name), *arguments], capture_output=True, text=True, check=False, cwd=self.folder, **self._as)
        assert done.returncode == 0, done.stderr[-2000:]


def _somebody() -> pwd.struct_passwd:
    known = {each.pw_name: each for each in pwd.getpwall()}
    found = known.get("postgres") or known.get("nobody")
    if found is None:
        cannot("needs an account that is not root")
    return found


def made_of(admin_url: str, name: str) -> None:
    """A database with all tables, copied from one that is made once a server: making the tables takes ten times as long."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # two tests' processes may ask at once
        known = {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}
        if name in known:
            return
        if WITH_TABLES not in known:
            connection.execute(f"CREATE DATABASE {WITH_TABLES} TEMPLATE template0")
            database = Database(make_url(admin_url).set(database=WITH_TABLES).render_as_string(hide_password=False))
            database.create_tables()
            database.close()
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {WITH_TABLES}')


def name_for(folder: Path) -> str:
    """One database a folder, so that who opens a folder again finds what was there."""
    return f"t{sha256(str(folder).encode()).hexdigest()[:24]}"
