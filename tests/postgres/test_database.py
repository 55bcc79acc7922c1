"""The database on PostgreSQL: what holds on SQLite holds here."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import select, text
from tests.postgres.own_server import PASSWORD, OwnServer

from guardship.cli.database import BackupError, backup
from guardship.identity import audit
from guardship.migrations.tables import METADATA
from guardship.migrations.upgrading import DatabaseTooNew, current_revision, revisions, upgrade
from guardship.settings import Settings
from guardship.storage.database import Database, DatabaseUnavailable, SqliteOnly
from guardship.storage.outbox import OutboxEvent, publish
from guardship.storage.postgres import BadDatabaseUrl, DatabaseRefused

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_the_migrations_make_the_tables_that_the_code_declares(empty_url: str) -> None:
    upgrade(empty_url)
    database = Database(empty_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA})
        differences = [each for each in compare_metadata(context, METADATA) if "alembic_version" not in str(each)]
    database.close()
    assert not differences


def test_processes_that_start_at_once_upgrade_once(empty_url: str) -> None:
    command = [sys.executable, "-c", "import sys; from guardship.migrations.upgrading import upgrade; upgrade(sys.argv[1])", empty_url]
    starting = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in starting] == [0, 0, 0]
    assert current_revision(empty_url) == revisions()[-1]


def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    upgrade(empty_url)
    database = Database(empty_url)
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(DatabaseTooNew, match="9999") as caught:
        upgrade(empty_url)
    assert PASSWORD not in str(caught.value)


def test_a_database_that_is_not_utf8_is_refused_with_the_way_out(url: str, server: OwnServer) -> None:
    database = Database(url)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0"))
    database.close()
    with pytest.raises(DatabaseRefused, match="not as UTF8") as caught:
        upgrade(server.url("ascii"))
    assert "ENCODING 'UTF8'" in str(caught.value.hint)


@pytest.mark.parametrize(("address", "words"), [("mysql://u:pw@h/d", "begins with mysql"), ("nonsense", "is no address")])
def test_an_address_that_is_none_of_postgresql_is_refused(address: str, words: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=words) as caught:
        Database(address)
    assert "pw" not in str(caught.value)


def test_the_password_is_in_no_error_and_in_no_setting_that_is_shown(server: OwnServer) -> None:
    wrong = server.url().replace(PASSWORD, "another-word")
    with pytest.raises(DatabaseUnavailable) as caught:
        upgrade(wrong)
    assert "another-word" not in f"{caught.value}{caught.value.hint}"
    database = Database(wrong)
    with pytest.raises(DatabaseUnavailable) as told, database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert "another-word" not in str(told.value)
    assert "another-word" not in repr(Settings(database_url=SecretStr(wrong)))
    database.close()


def test_writers_go_one_at_a_time_so_that_numbers_and_the_audit_chain_hold(database: Database) -> None:
    def write() -> None:
        for _ in range(10):
            with database.transaction() as session:
                audit.record(session, who="ada", act="test.act", subject="s", at=NOW, detail={"size": 1e16, "text": "a\0b"})

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        found = audit.verify(session)
    assert (found.entry_count, found.broken_at) == (80, None)


def test_who_reads_sees_one_moment(database: Database) -> None:
    with database.reading() as session:
        assert session.scalars(select(OutboxEvent)).all() == []
        with database.transaction() as other:
            publish(other, "alert:1", "AlertRaised", {}, at=NOW)
        assert session.scalars(select(OutboxEvent)).all() == []
    with database.reading() as session:
        assert len(session.scalars(select(OutboxEvent)).all()) == 1


def test_who_reads_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match="read-only"), database.reading() as session:
        session.execute(text("DELETE FROM storage_outbox_event"))


def test_text_with_a_nul_and_text_longer_than_declared_are_kept(database: Database) -> None:
    payload = {"z": "a\0b", "a": [1.0, 1e16, "ä\u2028"]}
    with database.transaction() as session:
        publish(session, "s" * 500 + "\0", "k", payload, at=NOW)
    with database.reading() as session:
        (row,) = session.scalars(select(OutboxEvent)).all()
    assert (row.subject, list(row.payload), row.payload) == ("s" * 500 + "\ufffd", ["z", "a"], payload)


def test_a_server_that_falls_is_told_as_unavailable_and_found_again(server: OwnServer, database: Database) -> None:
    with database.transaction() as session:
        publish(session, "s", "k", {}, at=NOW)
    server.stop(at_once=True)
    try:
        with pytest.raises(DatabaseUnavailable), database.transaction() as session:
            publish(session, "s", "k", {}, at=NOW)
        with pytest.raises(DatabaseUnavailable), database.reading() as session:
            session.scalars(select(OutboxEvent)).all()
        with pytest.raises(DatabaseUnavailable):
            database.ask("SELECT 1", {})
    finally:
        server.start()
    with database.reading() as session:
        assert len(session.scalars(select(OutboxEvent)).all()) == 1
    assert database.is_whole()


def test_a_question_has_its_places_by_name(database: Database) -> None:
    assert database.ask("SELECT :a, :b || 'x'", {"a": 1, "b": "y", "more": 3}) == [(1, "yx")]


def test_what_is_about_sqlites_file_names_the_tools_of_postgresql(
    database: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SqliteOnly, match="no file") as caught:
        database.backup(tmp_path / "copy")
    assert "pg_dump" in str(caught.value.hint)
    monkeypatch.setenv("GUARDSHIP_DATABASE_URL", url)
    monkeypatch.setenv("GUARDSHIP_HOME", str(tmp_path))
    with pytest.raises(BackupError, match="SQLite") as told:
        backup.__wrapped__(tmp_path / "b.tar")  # type: ignore[attr-defined]  # without what turns errors into exit codes
    assert "pg_dump" in str(told.value.hint)
