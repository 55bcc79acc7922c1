"""What must happen because of something: an event, written in the transaction that caused it and delivered until it is taken.

Events of one subject are delivered in the order they were written, one at a time; subjects do not wait for each other. A handler
that raises is tried again with backoff; after eight tries the event is set aside and shown, and later events of that subject wait.
Delivery is at least once: a handler must take the same event twice without harm (`event_id` never changes).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError
from guardship.ids import new_id
from guardship.storage.database import Database, DatabaseUnavailable, after_commit
from guardship.storage.schema import Base, Counter, Json, Moment
from guardship.telemetry import get_log

MOST_TRIES = 8
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 300.0
IDLE_SECONDS = 1.0
STOP_SECONDS = 5.0
KEPT = timedelta(days=3)  # a delivered event, for whoever looks into what happened
EVENT_WRITTEN = "outbox"

log = get_log("outbox")

Handler = Callable[["Event"], None]


class OutboxEvent(Base):
    __tablename__ = "storage_outbox_event"

    position: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(40), unique=True)
    subject: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(80))
    payload: Mapped[Any] = mapped_column(Json)
    written_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None] = mapped_column(Moment)
    set_aside_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        Index(
            "ix_storage_outbox_event_open",
            "subject",
            "position",
            sqlite_where=delivered_at.is_(None),
            postgresql_where=delivered_at.is_(None),
        ),
    )


@dataclass(frozen=True, slots=True)
class Event:
    event_id: str
    subject: str
    kind: str
    payload: Any
    written_at: datetime


class NoSuchEvent(GuardshipError):
    code = "outbox.no_such_event"
    fault = Fault.NOT_FOUND


def publish(session: Session, subject: str, kind: str, payload: Any, *, at: datetime) -> str:
    """Write an event with the session's transaction; `subject` is what keeps its order, such as `alert:alrt_…`."""
    event_id = new_id("evnt")
    session.add(OutboxEvent(event_id=event_id, subject=subject, kind=kind, payload=payload, written_at=at, due_at=at, tries=0))
    database: Database = session.info["database"]
    after_commit(session, lambda: database.tell(EVENT_WRITTEN))
    return event_id


def forget_delivered(session: Session, *, at: datetime) -> None:
    """Delete what was delivered long ago; what waits or is set aside stays."""
    session.execute(delete(OutboxEvent).where(OutboxEvent.delivered_at < at - KEPT))


class Outbox:
    """Delivers events to the handlers that subscribed to their kind. `start` and `stop` belong to `server.py`."""

    def __init__(self, database: Database, clock: Clock, *, workers: int = 8) -> None:
        self._database = database
        self._clock = clock
        self._handlers: dict[str, list[Handler]] = {}
        self._woken = threading.Event()
        self._stopping = False
        self._busy: set[str] = set()
        self._busy_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="outbox")
        self._thread = threading.Thread(target=self._loop, name="outbox", daemon=True)

    def subscribe(self, kind: str, handler: Handler) -> None:
        self._handlers.setdefault(kind, []).append(handler)

    def start(self) -> None:
        self._database.listen(EVENT_WRITTEN, self._woken.set)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + STOP_SECONDS
        while self._busy and time.monotonic() < deadline:
            time.sleep(0.01)  # what is still on its way is delivered again at the next start

    def deliver_due(self) -> int:
        """Deliver what is due now, in this thread, until nothing is left; for tests and for a quiet shutdown."""
        count = 0
        while due := self._due():
            for event in due:
                self._deliver(event)
                count += 1
        return count

    def set_aside(self) -> list[OutboxEvent]:
        with self._database.reading() as session:
            rows = session.scalars(select(OutboxEvent).where(OutboxEvent.set_aside_at.is_not(None), OutboxEvent.delivered_at.is_(None)))
            return list(rows.all())

    def waiting_count(self) -> int:
        with self._database.reading() as session:
            return session.scalar(select(func.count()).where(OutboxEvent.delivered_at.is_(None))) or 0

    def try_again(self, event_id: str) -> None:
        """Put an event that was set aside back in line, with all its tries."""
        with self._database.transaction() as session:
            changed = session.execute(
                update(OutboxEvent)
                .where(OutboxEvent.event_id == event_id, OutboxEvent.set_aside_at.is_not(None))
                .values(tries=0, set_aside_at=None, due_at=self._clock.now())
            )
            if changed.rowcount == 0:  # type: ignore[attr-defined]  # an UPDATE always gives a CursorResult
                raise NoSuchEvent(f"no event {event_id} is set aside")
        self._woken.set()

    def _loop(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                due = self._due()
            except DatabaseUnavailable as error:
                log.warning("outbox.unavailable", reason=str(error))
                self._woken.wait(IDLE_SECONDS)
                continue
            for event in due:
                self._submit(event)
            if not due:
                self._woken.wait(IDLE_SECONDS)

    def _submit(self, event: Event) -> None:
        if self._stopping:
            return
        with self._busy_lock:
            self._busy.add(event.subject)
        self._pool.submit(self._deliver_apart, event)

    def _due(self) -> list[Event]:
        """The first waiting event of each subject that nobody is working on."""
        with self._busy_lock:
            busy = set(self._busy)
        first = (
            select(func.min(OutboxEvent.position).label("position"))
            .where(OutboxEvent.delivered_at.is_(None))
            .group_by(OutboxEvent.subject)
            .subquery()
        )
        query = (
            select(OutboxEvent)
            .join(first, first.c.position == OutboxEvent.position)
            .where(OutboxEvent.set_aside_at.is_(None), OutboxEvent.due_at <= self._clock.now())
            .order_by(OutboxEvent.position)
            .limit(64)
        )
        with self._database.reading() as session:
            rows = session.scalars(query).all()
        return [Event(row.event_id, row.subject, row.kind, row.payload, row.written_at) for row in rows if row.subject not in busy]

    def _deliver_apart(self, event: Event) -> None:
        try:
            self._deliver(event)
        finally:
            with self._busy_lock:
                self._busy.discard(event.subject)
            self._woken.set()

    def _deliver(self, event: Event) -> None:
        try:
            for handler in self._handlers.get(event.kind, ()):
                handler(event)
        except Exception as error:
            log.exception("outbox.delivery_failed", event_id=event.event_id, kind=event.kind, subject=event.subject)
            self._put_off(event, str(error) or type(error).__name__)
            return
        with self._database.transaction() as session:
            session.execute(
                update(OutboxEvent).where(OutboxEvent.event_id == event.event_id).values(delivered_at=self._clock.now(), error=None)
            )

    def _put_off(self, event: Event, reason: str) -> None:
        now = self._clock.now()
        with self._database.transaction() as session:
            row = session.scalars(select(OutboxEvent).where(OutboxEvent.event_id == event.event_id)).one()
            row.tries += 1
            row.error = reason
            row.due_at = now + timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2 ** (row.tries - 1), LONGEST_PAUSE_SECONDS))
            if row.tries >= MOST_TRIES:
                row.set_aside_at = now
                log.error("outbox.set_aside", event_id=event.event_id, kind=event.kind, subject=event.subject)
