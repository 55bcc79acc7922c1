"""Ingest tokens: bound to tables and one machine, kept as a hash, refused once revoked or over."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from guardship.clock import HeldClock
from guardship.errors import NotFound
from guardship.storage.database import Database
from guardship.workspace import saved_searches
from guardship.workspace.catalog import Catalog, UnknownLogTable
from guardship.workspace.ingest_tokens import IngestTokens, TableRefused, TokenRefused

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(NOW)


@pytest.fixture
def tokens(database: Database, clock: HeldClock) -> IngestTokens:
    return IngestTokens(database, Catalog.load(), clock)


def test_a_token_says_whose_it_is_and_only_for_its_tables(tokens: IngestTokens) -> None:
    issued = tokens.issue("web-1's agent", tables=["Syslog", "Heartbeat"], machine="web-1")
    assert tokens.check(issued.token, "Syslog") == "web-1"
    with pytest.raises(TableRefused):
        tokens.check(issued.token, "SecurityAlert")


def test_the_token_itself_is_kept_nowhere(tokens: IngestTokens, database: Database) -> None:
    issued = tokens.issue("x", tables=["Syslog"], machine=None)
    with database.reading() as session:
        rows = session.execute(text("SELECT * FROM workspace_ingest_token")).all()
    assert issued.token not in str(rows)


def test_a_token_that_is_unknown_revoked_or_over_is_refused(tokens: IngestTokens, clock: HeldClock) -> None:
    revoked = tokens.issue("a", tables=["Syslog"], machine=None)
    ending = tokens.issue("b", tables=["Syslog"], machine=None, expires_at=NOW + timedelta(hours=1))
    tokens.revoke(revoked.token_id)
    assert tokens.check(ending.token, "Syslog") is None
    clock.advance(timedelta(hours=1))
    for token in (revoked.token, ending.token, "gsi_nonsense", ""):
        with pytest.raises(TokenRefused):
            tokens.check(token, "Syslog")
    assert [row.name for row in tokens.all()] == ["a", "b"]


def test_unknown_tables_and_tokens_are_named(tokens: IngestTokens) -> None:
    with pytest.raises(UnknownLogTable):
        tokens.issue("x", tables=["Sislog"], machine=None)
    with pytest.raises(NotFound):
        tokens.revoke("itok_none")


def test_a_saved_search_is_replaced_under_its_name(database: Database) -> None:
    with database.transaction() as session:
        first = saved_searches.save(session, "Guesses", "Syslog", by="ada", at=NOW)
        second = saved_searches.save(session, "Guesses", "Syslog | count", by="bo", at=NOW, description="how many")
        assert first.search_id == second.search_id
    with database.transaction() as session:
        (kept,) = saved_searches.all_searches(session)
        assert (kept.query, kept.saved_by, kept.description) == ("Syslog | count", "bo", "how many")
        saved_searches.remove(session, kept.search_id)
    with database.reading() as session, pytest.raises(NotFound):
        saved_searches.get(session, kept.search_id)
