"""Takes away the history of runs that ended long ago: as long ago as the user says, or the oldest when there is more than may be kept.

Without a limit nothing is ever taken. A run that has not ended stays whatever its age. Runs go a few hundred at a time, fewer when that
takes long, so that nobody waits for it; a payload goes when the last run that needs it went and it is a day old.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardship.clock import Clock, to_micros
from guardship.playbooks.journal_tables import ACTION, CALLBACK, JOURNAL, MESSAGE, RUN, TARGET_LOCK, TIMER
from guardship.storage.blobs import Blobs, forget_uses
from guardship.storage.database import Database
from guardship.telemetry import get_log

MOST_RUNS = 200
LEAST_RUNS = 10
LONGEST_SECONDS = 0.05  # of one transaction; the next takes half as many when it was longer
REST_SECONDS = 0.02
BLOBS_KEPT_FOR = timedelta(hours=24)
_OF_A_RUN = (JOURNAL, ACTION, TIMER, MESSAGE, CALLBACK, TARGET_LOCK)

log = get_log("pruning")


@dataclass(frozen=True, slots=True)
class Keeping:
    """None: no limit."""

    days: int | None = None
    megabytes: int | None = None  # that the whole database may have


@dataclass(slots=True)
class Pruned:
    runs: int = 0
    payloads: int = 0
    longest_seconds: float = 0.0


class Pruning:
    def __init__(self, database: Database, blobs: Blobs, clock: Clock, keeping: Keeping) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._keeping = keeping

    def round(self) -> Pruned:
        """All that may go now."""
        pruned = Pruned()
        at_once, after = MOST_RUNS, 0
        while found := self._oldest(after, at_once):
            numbers, run_ids = zip(*found, strict=True)
            began = time.monotonic()
            with self._database.transaction() as session:
                self._forget(session, run_ids)
            seconds = time.monotonic() - began
            pruned.runs += len(run_ids)
            pruned.longest_seconds = max(pruned.longest_seconds, seconds)
            at_once = max(at_once // 2, LEAST_RUNS) if seconds > LONGEST_SECONDS else min(at_once * 2, MOST_RUNS)
            after = max(numbers)
            time.sleep(REST_SECONDS)
        while removed := self._forget_payloads():
            pruned.payloads += removed
            time.sleep(REST_SECONDS)
        if pruned.runs or pruned.payloads:
            self._database.give_space_back()
            log.info("pruning.done", runs=pruned.runs, payloads=pruned.payloads, longest_seconds=round(pruned.longest_seconds, 3))
        return pruned

    def _oldest(self, after: int, limit: int) -> list[tuple[int, str]]:
        """The oldest ended runs behind that number that are not to be kept."""
        query = select(RUN.c.number, RUN.c.run_id).where(RUN.c.ended_at.is_not(None), RUN.c.number > after)
        if not self._is_too_large():
            if self._keeping.days is None:
                return []
            query = query.where(RUN.c.ended_at < to_micros(self._clock.now() - timedelta(days=self._keeping.days)))
        with self._database.reading() as session:
            return [(number, run_id) for number, run_id in session.execute(query.order_by(RUN.c.number).limit(limit))]

    def _is_too_large(self) -> bool:
        return self._keeping.megabytes is not None and self._database.used_bytes() > self._keeping.megabytes * 1024 * 1024

    def _forget(self, session: Session, run_ids: Sequence[str]) -> None:
        forget_uses(session, run_ids)
        for table in _OF_A_RUN:
            session.execute(delete(table).where(table.c.run_id.in_(run_ids)))
        session.execute(delete(RUN).where(RUN.c.run_id.in_(run_ids)))

    def _forget_payloads(self) -> int:
        with self._database.transaction() as session:
            gone = self._blobs.take_unused(session, before=self._clock.now() - BLOBS_KEPT_FOR, limit=MOST_RUNS)
        self._blobs.remove_files(gone)
        return len(gone)
