"""Database, blobs, vault: what was put in comes out, and only there."""

import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.databases import demand_sqlite

from guardship.storage.blobs import Blobs, PayloadTooLarge
from guardship.storage.database import Database, DatabaseUnavailable
from guardship.storage.vault import SealBroken, Vault

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize("size", [0, 10, 100_000, 3_000_000])
def test_a_payload_comes_back_whole(database: Database, tmp_path: Path, size: int) -> None:
    import random

    blobs, content = Blobs(tmp_path / "blobs"), random.Random(size).randbytes(size)
    with database.transaction() as session:
        blob_id = blobs.put(session, content, at=NOW)
    with database.reading() as session:
        assert blobs.get(session, blob_id) == content


def test_the_same_payload_is_stored_once(database: Database, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    with database.transaction() as session:
        assert blobs.put(session, b"x" * 9000, at=NOW) == blobs.put(session, b"x" * 9000, at=NOW)


def test_a_payload_over_the_limit_is_refused(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardship.storage.blobs.MOST_BYTES", 10)
    with pytest.raises(PayloadTooLarge), database.transaction() as session:
        Blobs(tmp_path).put(session, b"x" * 11, at=NOW)


@given(content=st.binary(max_size=200), purpose=st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_what_was_sealed_opens_for_its_purpose_only(content: bytes, purpose: str) -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal(content, purpose=purpose)
    assert vault.unseal(sealed, purpose=purpose) == content
    with pytest.raises(SealBroken):
        vault.unseal(sealed, purpose=f"{purpose}!")


def test_a_sealed_value_does_not_open_under_another_key() -> None:
    with pytest.raises(SealBroken):
        Vault(b"a" * 32).unseal(Vault(b"b" * 32).seal(b"secret", purpose="p"), purpose="p")


def test_the_vault_key_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "vault.key"
    first = Vault.open(file).seal(b"x", purpose="p")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Vault.open(file).unseal(first, purpose="p") == b"x"


def test_a_backup_is_whole_while_others_write(database: Database, tmp_path: Path) -> None:
    demand_sqlite()
    import threading

    blobs, stop = Blobs(tmp_path / "blobs"), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with database.transaction() as session:
                blobs.put(session, str(number).encode(), at=NOW)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        database.backup(tmp_path / "copy.db")
    finally:
        stop.set()
        writer.join()
    assert Database(tmp_path / "copy.db").is_whole()


def test_questions_leave_nothing_that_pins_the_log_or_holds_a_lock(tmp_path: Path) -> None:
    demand_sqlite()
    database = Database(tmp_path / "g.db")
    database.create_tables()
    for _ in range(3):
        database.ask("SELECT count(*) FROM storage_blob WHERE blob_id=:blob_id", {"blob_id": "x"})
    with closing(database.raw_connection()) as writer:
        writer.execute("CREATE TABLE some_rows (n INTEGER)")
        writer.execute("INSERT INTO some_rows VALUES (1)")
        busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert (tmp_path / "g.db-wal").stat().st_size == 0
    assert database.ask("SELECT n FROM some_rows", {}) == [(1,)]
    database.close()


def test_a_question_that_fails_costs_the_next_one_nothing(tmp_path: Path) -> None:
    demand_sqlite()
    database = Database(tmp_path / "g.db")
    database.create_tables()
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable):
            database.ask("SELECT nothing FROM nowhere", {})
    assert database.ask("SELECT 1", {}) == [(1,)]
    database.close()
    assert database.ask("SELECT 1", {}) == [(1,)]  # as a late one does when all is stopped
