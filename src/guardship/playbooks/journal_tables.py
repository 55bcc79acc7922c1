"""The tables of runs: the journal is the truth, `playbooks_action` its picture for the run view, the rest is what a run waits for.

Moments are whole microseconds. Rows are written by the journal's writer alone, on the driver's own connection.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, text
from sqlalchemy import Sequence as Counted
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from guardship.storage.schema import METADATA

RUN = Table(
    "playbooks_run",
    METADATA,
    Column("run_id", String(40), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("playbook_id", String(40), nullable=False),
    Column("playbook_version_id", String(40), nullable=False),
    Column("trigger_name", String(200), nullable=False),
    Column("dedup_key", String(200)),
    Column("parent_run_id", String(40)),
    Column("priority", Integer, nullable=False),
    Column("engine_version", Integer, nullable=False),
    Column("client_tracking_id", String(200), nullable=False),
    Column("alert_id", String(40)),
    Column("incident_id", String(40)),
    Column("status", String(12), nullable=False),
    Column("code", String(200)),
    Column("error", Text),
    Column("accepted_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("lease_owner", String(60)),
    Column("lease_epoch", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("wake", Boolean, nullable=False),
    Column("due_at", BigInteger),
    Index(
        "uq_playbooks_run_dedup",
        "playbook_id",
        "dedup_key",
        unique=True,
        sqlite_where=text("dedup_key IS NOT NULL"),
        postgresql_where=text("dedup_key IS NOT NULL"),
    ),
    Index("ix_playbooks_run_recent", "playbook_id", "accepted_at"),
    Index("ix_playbooks_run_alert", "alert_id", sqlite_where=text("alert_id IS NOT NULL"), postgresql_where=text("alert_id IS NOT NULL")),
    Index("ix_playbooks_run_wake", "priority", "accepted_at", sqlite_where=text("wake"), postgresql_where=text("wake")),
    Index("ix_playbooks_run_open", "status", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 80},  # rows change in place
)

JOURNAL = Table(
    "playbooks_journal",
    METADATA,
    Column("run_id", String(40), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(24), nullable=False),
    Column("key", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seed", LargeBinary),
    Column("epoch", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

ACTION = Table(
    "playbooks_action",
    METADATA,
    Column("run_id", String(40), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("parent_key", Text, nullable=False),
    Column("iteration", Integer),
    Column("kind", String(40), nullable=False),
    Column("operation", String(120)),
    Column("status", String(12), nullable=False),
    Column("code", String(200)),
    Column("error", Text),
    Column("attempt", Integer, nullable=False),
    Column("branch", Text),
    Column("inputs_ref", Text),
    Column("outputs_ref", Text),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("first_seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 80},
)

TIMER = Table(
    "playbooks_timer",
    METADATA,
    Column("run_id", String(40), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("fired_at", BigInteger),
    Column("approval_id", String(40)),  # whose answer brings it forward
    Index("ix_playbooks_timer_due", "due_at", sqlite_where=text("fired_at IS NULL"), postgresql_where=text("fired_at IS NULL")),
    Index(
        "ix_playbooks_timer_approval",
        "approval_id",
        sqlite_where=text("approval_id IS NOT NULL"),
        postgresql_where=text("approval_id IS NOT NULL"),
    ),
)

MESSAGE = Table(
    "playbooks_message",
    METADATA,
    Column("message_id", String(40), primary_key=True),
    Column("run_id", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("dedup_key", String(200), nullable=False),
    Column("body_ref", Text, nullable=False),
    Column("sender", String(200), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("taken_seq", BigInteger),
    Column("disposition", String(12)),
    UniqueConstraint("run_id", "key", "dedup_key"),
    Index("ix_playbooks_message_new", "run_id", sqlite_where=text("taken_seq IS NULL"), postgresql_where=text("taken_seq IS NULL")),
)

CALLBACK = Table(
    "playbooks_callback",
    METADATA,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("run_id", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
)

TARGET_LOCK = Table(
    "playbooks_target_lock",
    METADATA,
    Column("target_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("held_since", BigInteger),
    Index(
        "uq_playbooks_target_lock_held",
        "target_id",
        unique=True,
        sqlite_where=text("held_since IS NOT NULL"),
        postgresql_where=text("held_since IS NOT NULL"),
    ),
)


RUN_NUMBERS = Counted("playbooks_run_number", metadata=METADATA)  # on PostgreSQL, where several processes count


def statement(clause: ClauseElement, *names: str, dialect: Dialect | None = None) -> str:
    """The SQL of a Core statement for the driver, whose parameters stand in the order of `names`."""
    compiled = clause.compile(dialect=dialect or sqlite.dialect(paramstyle="qmark"))
    order: Sequence[str] = compiled.positiontup or ()  # type: ignore[attr-defined]  # an SQLCompiler
    if list(order) != list(names):
        raise ValueError(f"the statement takes {list(order)}, not {list(names)}")
    return str(compiled)
