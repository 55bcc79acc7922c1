"""Runs the analytics rules on their schedules.

A rule judges rows by when they were received, not by what time they state: a late row is seen, and none is missed while the server was
away. Rows received up to the moment before the query are all committed, so that moment is where the next run goes on. It is written in
one transaction with the last of the alerts: a run that is cut off before that is done again, and what it raised is then a repeat.

No match may hide behind others. A run that matches very many rows asks again for more of them, and where even the most that it asks for
do not hold them, it judges a part of the time and leaves the rest of it to the next run, which follows at once.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from guardship.clock import EPOCH, Clock, iso
from guardship.detection.alerts import Alert, AlertContext, raise_alerts
from guardship.detection.finding import Finding, findings_of
from guardship.detection.rules import RULES_CHANGED, BadRule, Rule, RuleDefinition, rule_of
from guardship.detection.suppression import Earlier, Verdict, judge
from guardship.errors import GuardshipError
from guardship.storage.database import Database
from guardship.telemetry import get_log
from guardship.workspace.ingest import Ingest
from guardship.workspace.search import Answer, ReceivedRange, Search

FIRST_ROWS = 1_000  # nearly every run finds fewer; each further question asks for more
MOST_ROWS = 200_000
MORE_ROWS = 6  # times as many
MOST_QUESTIONS = 24
FINDINGS_AT_ONCE = 100  # in one transaction, so that others get to write between
TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 0.5
LONGEST_GAP = timedelta(days=14)

log = get_log("detection.analytics")


@dataclass(frozen=True, slots=True)
class _Due:
    rule: RuleDefinition
    seen_through: datetime | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was asked: `answer` holds all that matched up to `until`, which the place in the rows moves to."""

    answer: Answer
    until: datetime
    left_over: str | None  # what is not judged yet


class Scheduler:
    def __init__(
        self, database: Database, search: Search, ingest: Ingest, clock: Clock, context: AlertContext, *, workers: int = 2
    ) -> None:
        self._database = database
        self._search = search
        self._ingest = ingest
        self._clock = clock
        self._context = context
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="rules")
        self._woken = threading.Event()
        self._is_stopping = False
        self._busy: set[str] = set()
        self._busy_lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        self._database.listen(RULES_CHANGED, self._woken.set)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the rules that are running."""
        self._is_stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        self._pool.shutdown(wait=True)

    def run_due(self) -> list[Alert]:
        """Run every rule that is due, in this thread, one after the other; the alerts they raised."""
        return [alert for due in self._due() for alert in self._run(due)]

    def run_now(self, rule_id: str) -> list[Alert]:
        """Run this rule whether it is due or not; it must be switched on."""
        with self._database.reading() as session:
            row = session.get(Rule, rule_id)
        return self._run(_Due(rule_of(row), row.seen_through)) if row and row.is_enabled else []

    def _loop(self) -> None:
        while not self._is_stopping:
            self._woken.clear()
            pause = IDLE_SECONDS
            try:
                for due in self._due():
                    self._submit(due)
                pause = self._pause()
            except GuardshipError as error:
                log.warning("scheduler.unavailable", reason=str(error))
            self._woken.wait(pause)

    def _pause(self) -> float:
        """Until the next rule is due, and not longer than a rule may be late."""
        with self._database.reading() as session:
            following = session.scalar(select(func.min(Rule.next_due_at)).where(Rule.is_enabled))
        if following is None:
            return IDLE_SECONDS
        return min(max((following - self._clock.now()).total_seconds(), 0.02), IDLE_SECONDS)

    def _submit(self, due: _Due) -> None:
        with self._busy_lock:
            if due.rule.rule_id in self._busy:
                return
            self._busy.add(due.rule.rule_id)
        future = self._pool.submit(self._run, due)
        future.add_done_callback(lambda done: self._done(due.rule.rule_id, done))

    def _done(self, rule_id: str, done: "Future[list[Alert]]") -> None:
        with self._busy_lock:
            self._busy.discard(rule_id)
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("rule.crashed", rule_id=rule_id, reason=repr(error), exc_info=error)

    def _due(self) -> list[_Due]:
        now = self._clock.now()
        query = select(Rule).where(Rule.is_enabled, or_(Rule.next_due_at.is_(None), Rule.next_due_at <= now)).order_by(Rule.next_due_at)
        with self._database.reading() as session:
            rows = list(session.scalars(query))
        found: list[_Due] = []
        for row in rows:
            try:
                found.append(_Due(rule_of(row), row.seen_through))
            except BadRule as error:
                self._set_back(row.rule_id, f"the definition does not read: {error}", now)
        return found

    def _run(self, due: _Due) -> list[Alert]:
        rule, started = due.rule, self._clock.monotonic()
        through, now = self._ingest.received_through(), self._clock.now()
        after = self._after(due, now)
        try:
            judged = self._ask(due, after, max(after, through))
        except GuardshipError as error:
            self._failed(rule, str(error), after, now)
            return []
        alerts = self._raise(rule, judged, now, started)
        if alerts:
            log.info("rule.matched", rule_id=rule.rule_id, count=len(alerts), seconds=round(self._clock.monotonic() - started, 3))
        return alerts

    def _ask(self, due: _Due, after: datetime, until: datetime) -> _Judged:
        """Everything that matched, else everything up to an earlier moment, else as much as can be had from the same place."""
        place = max(after, due.seen_through or after)
        limit, to = FIRST_ROWS, until
        for _ in range(MOST_QUESTIONS):
            answer = self._search.run(due.rule.query, received=ReceivedRange(after, to), row_limit=limit, timeout_seconds=TIMEOUT_SECONDS)
            if answer.is_complete or (limit >= MOST_ROWS and due.rule.trigger_operator in ("lt", "eq")):  # more than that triggers neither
                left_over = None if to == until else f"more than {MOST_ROWS} rows matched; those received after {iso(to)} follow"
                return _Judged(answer, to, left_over)
            if limit < MOST_ROWS:
                limit = min(limit * MORE_ROWS, MOST_ROWS)
            elif (to - place) < timedelta(milliseconds=1):
                break
            else:
                to = place + (to - place) / 2
        return _Judged(answer, place, f"more than {MOST_ROWS} rows matched at once; the others are asked for again, but narrow the query")

    @staticmethod
    def _after(due: _Due, now: datetime) -> datetime:
        """A rule that looks back no further than it runs sees each row once; one that looks further sees the lookback again."""
        lookback = now - timedelta(seconds=due.rule.lookback_seconds)
        if due.seen_through is None:
            return max(lookback, EPOCH)
        oldest = max(due.seen_through, now - LONGEST_GAP)
        return oldest if due.rule.lookback_seconds <= due.rule.frequency_seconds else min(oldest, lookback)

    def _raise(self, rule: RuleDefinition, judged: _Judged, now: datetime, started: float) -> list[Alert]:
        records = judged.answer.records()
        count = MOST_ROWS + 1 if judged.left_over else len(records)
        findings = findings_of(rule, records, count=count, now=now)
        if len(findings) > FINDINGS_AT_ONCE:  # of two equal ones the first is taken, wherever the second stands
            findings = list({finding.fingerprint: finding for finding in reversed(findings)}.values())[::-1]
        raised: list[Alert] = []
        for start in range(0, max(len(findings), 1), FINDINGS_AT_ONCE):
            part = findings[start : start + FINDINGS_AT_ONCE]
            with self._database.transaction() as session:
                row = session.get(Rule, rule.rule_id)
                if row is None or not row.is_enabled:
                    return raised
                raised += self._raise_part(session, rule, row, part, now)
                if start + FINDINGS_AT_ONCE >= len(findings):
                    row.seen_through = judged.until
                    # What is left follows before what was raised can count as new again.
                    row.next_due_at = now + timedelta(seconds=0 if judged.left_over else row.frequency_seconds)
                    row.last_run_at, row.last_run_seconds = now, self._clock.monotonic() - started
                    row.last_error = judged.left_over
        return raised

    def _raise_part(self, session: Session, rule: RuleDefinition, row: Rule, findings: list[Finding], now: datetime) -> list[Alert]:
        verdict = self._judge(session, rule, row, findings, now)
        alerts = raise_alerts(session, verdict.fresh, self._context, at=now) if verdict.fresh else []
        _count_repeats(session, verdict, now)
        if verdict.fresh:
            row.last_match_at = now
        row.alert_count += len(alerts)
        if alerts and rule.suppress_by == "rule" and rule.suppression_seconds:
            row.silent_until = now + timedelta(seconds=rule.suppression_seconds)
        return alerts

    @staticmethod
    def _judge(session: Session, rule: RuleDefinition, row: Rule, findings: list[Finding], now: datetime) -> Verdict:
        if not findings:
            return Verdict((), (), ())
        by_fingerprint = _earlier(session, rule.rule_id, Alert.fingerprint, {finding.fingerprint for finding in findings})
        by_entities = _earlier(session, rule.rule_id, Alert.entity_digest, {finding.entity_digest for finding in findings})
        return judge(findings, rule, by_fingerprint=by_fingerprint, by_entities=by_entities, silent_until=row.silent_until, now=now)

    def _failed(self, rule: RuleDefinition, reason: str, after: datetime, now: datetime) -> None:
        """What was not judged stays to be judged: the place in the rows does not move."""
        self._set_back(rule.rule_id, reason, now, after)

    def _set_back(self, rule_id: str, reason: str, now: datetime, after: datetime | None = None) -> None:
        log.warning("rule.failed", rule_id=rule_id, reason=reason)
        with self._database.transaction() as session:
            row = session.get(Rule, rule_id)
            if row is not None:
                row.last_error, row.last_run_at = reason, now
                row.seen_through = row.seen_through or after
                row.next_due_at = now + timedelta(seconds=row.frequency_seconds)


def _earlier(session: Session, rule_id: str, column: InstrumentedAttribute[str], wanted: set[str]) -> dict[str, Earlier]:
    """The newest alert of this rule for each of these values."""
    found: dict[str, Earlier] = {}
    values = sorted(wanted)
    for start in range(0, len(values), 500):
        query = (
            select(column, Alert.alert_id, Alert.last_seen_at, Alert.raised_at)
            .where(Alert.rule_id == rule_id, column.in_(values[start : start + 500]))
            .order_by(Alert.number)
        )
        for value, alert_id, last_seen_at, raised_at in session.execute(query):
            found[value] = Earlier(alert_id, last_seen_at, raised_at)
    return found


def _count_repeats(session: Session, verdict: Verdict, now: datetime) -> None:
    for alert_id in {alert_id for _, alert_id in verdict.repeats}:
        alert = session.get(Alert, alert_id)
        if alert is not None:
            alert.repeat_count += 1
            alert.last_seen_at = now
