"""What became of a write, for every isolation it belongs to: done, failed or not known; and the end of an isolation.

An isolation ends when the last write to each resource it changed is a release. One that is open in part has drifted: an interface was
left out or could not be closed, somebody else opened one, or its release broke off halfway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.cloud.arm import Actor
from guardship.containment import isolations, way_back
from guardship.containment.isolations import OPEN_STATES, Isolation, Sort, State, WriteRow, WriteState
from guardship.identity import approvals, audit
from guardship.storage import outbox
from guardship.storage.database import Database

OPENED = "IsolationOpened"
RELEASED = "IsolationReleased"
CLOSED_ELSEWHERE = "released, but other rules still let nothing through"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the readable files lie and which cloud they name."""

    folder: Path
    endpoint: dict[str, str]


class Outcomes:
    def __init__(self, database: Database, clock: Clock, files: Files) -> None:
        self._database = database
        self._clock = clock
        self._files = files

    def done(self, write_id: str, after: dict[str, Any] | None, *, open_interfaces: Mapping[str, Sequence[str]]) -> None:
        """The names of the interfaces that are open now, by the ids of the machines that were looked at. Told once."""
        now = self._clock.now()
        with self._database.transaction() as session:
            row = session.get_one(WriteRow, write_id)
            if row.state != WriteState.SENT:
                return
            row.state, row.after, row.ended_at, row.problem = WriteState.DONE, after, now, None
            session.flush()
            for isolation in isolations.of_write(session, write_id):
                if isolation.state not in OPEN_STATES:
                    continue
                is_open_at = open_interfaces.get(isolation.machine_id)
                if row.sort == Sort.ISOLATES:
                    isolation.state = State.DRIFTED if is_open_at else State.ISOLATED
                    isolation.problem = f"still open: {', '.join(is_open_at)}" if is_open_at else None
                    outbox.publish(session, _stream(isolation), OPENED, self._event(isolation, _who(row.actor)), at=now)
                elif row.sort == Sort.RELEASES:
                    self._released(session, isolation, row, is_still_closed=is_open_at is not None and not is_open_at)
                if isolation.state in OPEN_STATES:
                    self.keep_file(session, isolation)

    def keep_file(self, session: Session, isolation: Isolation) -> None:
        """The readable file says the way back and what was left, as the rows do."""
        undo = way_back.undo_of(isolations.writes_of(session, isolation.isolation_id))
        way_back.save_file(self._files.folder, isolation, undo, self._files.endpoint)

    def not_known(self, write_id: str, reason: str) -> None:
        """The request may or may not have been carried out: the cloud is asked later."""
        with self._database.transaction() as session:
            row = session.get_one(WriteRow, write_id)
            if row.state == WriteState.SENT:
                row.problem = f"no answer yet: {reason}"

    def failed(self, write_id: str, reason: str) -> None:
        now = self._clock.now()
        with self._database.transaction() as session:
            row = session.get_one(WriteRow, write_id)
            if row.state != WriteState.SENT:
                return
            row.state, row.problem, row.ended_at = WriteState.FAILED, reason, now
            session.flush()
            for isolation in isolations.of_write(session, write_id):
                states = {each.state for each in isolations.writes_of(session, isolation.isolation_id) if each.sort == Sort.ISOLATES}
                if states == {WriteState.FAILED} and isolation.state in OPEN_STATES:
                    isolation.state, isolation.problem, isolation.ended_at = State.FAILED, reason, now
                elif isolation.state == State.RELEASING:
                    _break_off(session, isolation, reason)

    def release_broke_off(self, isolation_id: str, reason: str) -> None:
        """The release will not go on by itself: whatever became of it, the isolation is in force again."""
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            if isolation.state == State.RELEASING:
                _break_off(session, isolation, reason)

    def drifted(self, isolation_id: str, problem: str) -> None:
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            if isolation.state in OPEN_STATES:
                isolation.state, isolation.problem = State.DRIFTED, problem

    def end(self, isolation_id: str, *, by: str, reason: str) -> None:
        """End an isolation that no write of ours ends: its resources are gone, or it was undone where we could not see it."""
        with self._database.transaction() as session:
            isolation = isolations.get(session, isolation_id)
            if isolation.state not in OPEN_STATES:
                return
            now = self._clock.now()
            audit.record(session, who=by, act="containment.ended", subject=isolation.machine_id, at=now, detail={"reason": reason})
            self._end(session, isolation, by, reason)

    def end_after_release(self, isolation_id: str, *, gone: set[str], actor: Actor) -> bool:
        """Whether the isolation is over, counting resources that the cloud has no more as put back."""
        with self._database.reading() as session:
            isolation = isolations.get(session, isolation_id)
            left = isolations.not_back(isolations.writes_of(session, isolation_id)) - gone
        if isolation.state not in OPEN_STATES:
            return True
        if left:
            return False
        self.end(isolation_id, by=actor.who, reason=actor.reason or "released; what it changed is gone from the cloud")
        return True

    def _released(self, session: Session, isolation: Isolation, row: WriteRow, *, is_still_closed: bool) -> None:
        if isolations.not_back(isolations.writes_of(session, isolation.isolation_id)):
            if not way_back.is_release_key(row.idempotency_key, isolation.isolation_id):
                isolation.state = State.DRIFTED
                isolation.problem = f"{_who(row.actor)} opened a way by {row.resource_id.rpartition('/')[2]}"
            return
        isolation.problem = CLOSED_ELSEWHERE if is_still_closed else None
        self._end(session, isolation, _who(row.actor), row.actor.get("reason") or isolation.end_reason)

    def _end(self, session: Session, isolation: Isolation, by: str, reason: str | None) -> None:
        now = self._clock.now()
        isolation.state, isolation.ended_at, isolation.ended_by, isolation.end_reason = State.RELEASED, now, by[:200], reason
        way_back.save_file(self._files.folder, isolation, [], self._files.endpoint)
        approvals.withdraw(session, subject=isolation.isolation_id, by=by, reason="the isolation has ended", at=now)
        outbox.publish(session, _stream(isolation), RELEASED, self._event(isolation, by), at=now)

    def _event(self, isolation: Isolation, by: str) -> dict[str, Any]:
        names = ("isolation_id", "machine_name", "incident_id", "run_id", "end_reason")
        return {name: getattr(isolation, name) for name in names} | {"by": by, "at": self._clock.now().isoformat()}


def _break_off(session: Session, isolation: Isolation, reason: str) -> None:
    """Back to what it was before the release, or drifted where the release has opened a part; later, while an answer is missing."""
    session.flush()
    writes = isolations.writes_of(session, isolation.isolation_id)
    if isolations.has_unanswered(writes):
        return
    closed = {each.resource_id.lower() for each in writes if each.sort == Sort.ISOLATES and each.state == WriteState.DONE}
    is_open_in_part = bool(closed - isolations.not_back(writes))
    isolation.state = State.DRIFTED if is_open_in_part else State.ISOLATED
    isolation.problem = f"the release failed: {reason}"


def _stream(isolation: Isolation) -> str:
    return f"isolation:{isolation.isolation_id}"


def _who(actor: dict[str, Any]) -> str:
    return f"{actor['kind']} {actor['name']}"
