"""Triggers that start a playbook by themselves: switched on and off by a person, one row each, due at moments that are written down.

Publishing switches nothing on. A moment becomes a run by a dedup key made of the trigger and the moment, before the row moves on to the
next one: a crash in between finds the run it made. Moments that passed while nobody looked are counted; those of the last minute are made
up for, of older ones the latest alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock, azure_time
from guardship.errors import Fault, GuardshipError, NotFound
from guardship.playbooks.batches import Batches
from guardship.playbooks.definition import Trigger
from guardship.playbooks.expressions.values import Value
from guardship.playbooks.firing import Published
from guardship.playbooks.library import Library
from guardship.playbooks.polling import Asked, Asking
from guardship.playbooks.recurrence import Recurrence, anchor_of, first_due, missed, next_due
from guardship.playbooks.recurrence_reading import recurrence_of
from guardship.playbooks.rounds import whenever_due
from guardship.playbooks.trigger_scope import trigger_scope
from guardship.storage.database import Database
from guardship.storage.schema import Base, Json, Moment
from guardship.telemetry import get_log

LONGEST_SLEEP_SECONDS = 30.0
MADE_UP_FOR = timedelta(seconds=60)
MOST_PROBLEM = 1000
BATCH = "//"  # between a Batch trigger and one of its batches, which has a row of its own

log = get_log("standing")


class TriggerState(Base):
    __tablename__ = "playbooks_trigger"

    playbook_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    trigger_name: Mapped[str] = mapped_column(String(200), primary_key=True)
    is_on: Mapped[bool]
    switched_at: Mapped[datetime] = mapped_column(Moment)
    switched_by: Mapped[str] = mapped_column(String(120))
    recurrence: Mapped[Any] = mapped_column(Json, nullable=True)
    anchor_at: Mapped[datetime | None] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    cursor: Mapped[Any] = mapped_column(Json, nullable=True)  # where to ask next, as the last answer said
    last_fired_at: Mapped[datetime | None] = mapped_column(Moment)
    missed_count: Mapped[int] = mapped_column(default=0)
    missed_at: Mapped[datetime | None] = mapped_column(Moment)  # the last one
    problem: Mapped[str | None] = mapped_column(Text)  # why it could not fire or ask the last time


class StartsNotByItself(GuardshipError):
    code = "playbooks.starts_not_by_itself"
    fault = Fault.CONFLICT


Fire = Callable[..., Awaitable[Any]]
"""`Triggering.fire`: published, trigger, outputs, dedup_key -> the runs that were accepted."""


class Standing:
    def __init__(self, database: Database, library: Library, clock: Clock, asking: Asking, batches: Batches, fire: Fire) -> None:
        self._database = database
        self._library = library
        self._clock = clock
        self.asking = asking
        self._batches = batches
        self._fire = fire
        self._changed = asyncio.Event()

    # ---- switching

    async def switch_on(self, playbook_id: str, *, by: str) -> list[TriggerState]:
        """Every trigger of the published version that starts by itself. Raises StartsNotByItself, or what a subscription was answered."""
        published = self._library.published(playbook_id)
        triggers = [trigger for trigger in published.workflow.triggers if trigger.starts_by_itself]
        if not triggers:
            hint = "alerts and incidents start it by an automation rule, calls by its address"
            raise StartsNotByItself(f"{published.playbook_name} has no trigger that starts by itself", hint=hint)
        for trigger in triggers:
            if trigger.recurrence is None and trigger.call is not None:
                await self.asking.subscribe(published, trigger)
        rows = await asyncio.to_thread(self._written_on, published, triggers, by)
        self._changed.set()
        return rows

    async def switch_off(self, playbook_id: str, *, by: str) -> list[TriggerState]:
        published = self._library.published(playbook_id)
        rows = await asyncio.to_thread(self._written_off, playbook_id, by)
        for trigger in published.workflow.triggers:
            if trigger.unsubscribe is not None:
                await self.asking.unsubscribe(published, trigger)
        return rows

    def states(self, playbook_id: str) -> list[TriggerState]:
        with self._database.reading() as session:
            return list(session.scalars(select(TriggerState).where(TriggerState.playbook_id == playbook_id)))

    def is_on(self, playbook_id: str, trigger_name: str) -> bool:
        with self._database.reading() as session:
            row = session.get(TriggerState, (playbook_id, trigger_name))
        return row is not None and row.is_on

    def republished(self, playbook_id: str) -> None:
        """A new version is in force: a trigger that is on keeps its anchor unless its recurrence is another one."""
        published = self._library.published(playbook_id)
        wanted: dict[str, Value] = {}
        for trigger in published.workflow.triggers:
            if trigger.starts_by_itself:
                wanted |= self._recurrences(published, trigger)
        with self._database.transaction() as session:
            for row in session.scalars(select(TriggerState).where(TriggerState.playbook_id == playbook_id, TriggerState.is_on)):
                if row.trigger_name not in wanted:
                    row.is_on, row.due_at, row.problem = False, None, "the published version has no such trigger any more"
                elif wanted[row.trigger_name] != row.recurrence:
                    self._begin(row, wanted[row.trigger_name])

    def _written_on(self, published: Published, triggers: list[Trigger], by: str) -> list[TriggerState]:
        rows = []
        with self._database.transaction() as session:
            for trigger in triggers:
                for name, written in self._recurrences(published, trigger).items():
                    row = session.get(TriggerState, (published.playbook_id, name))
                    if row is None:
                        row = TriggerState(playbook_id=published.playbook_id, trigger_name=name, missed_count=0, cursor={}, is_on=False)
                        session.add(row)
                    if not row.is_on:
                        row.is_on, row.switched_at, row.switched_by, row.cursor = True, self._clock.now(), by, {}
                        self._begin(row, written)
                    rows.append(row)
        return rows

    def _written_off(self, playbook_id: str, by: str) -> list[TriggerState]:
        with self._database.transaction() as session:
            rows = list(session.scalars(select(TriggerState).where(TriggerState.playbook_id == playbook_id)))
            for row in rows:
                row.is_on, row.due_at, row.switched_at, row.switched_by = False, None, self._clock.now(), by
        return rows

    def _recurrences(self, published: Published, trigger: Trigger) -> dict[str, Value]:
        """Row -> recurrence, as its expressions come out now: one of the trigger, one of each batch that moments let go."""
        own = None
        if trigger.recurrence is not None:
            own = trigger.recurrence(trigger_scope(published.workflow, trigger, {}, self._clock.now()))
        named = {f"{trigger.name}{BATCH}{batch}": dict(each.recurrence) for batch, each in trigger.batches.items() if each.recurrence}
        return {trigger.name: own, **named}

    def _begin(self, row: TriggerState, written: Value) -> None:
        row.recurrence = written
        row.anchor_at = row.due_at = None
        row.problem = None
        if written is not None:
            recurrence, now = recurrence_of(written), self._clock.now()
            row.anchor_at, row.due_at = anchor_of(recurrence, now), first_due(recurrence, now)

    # ---- firing

    async def run(self) -> None:
        """Until cancelled: sleep to the earliest moment, fire what is due."""
        await whenever_due(self._look, self._changed)

    async def _look(self) -> float:
        for row in await asyncio.to_thread(self._due):
            await self._take(row)
        earliest = await asyncio.to_thread(self._earliest)
        if earliest is None:
            return LONGEST_SLEEP_SECONDS
        return min(max((earliest - self._clock.now()).total_seconds(), 0.0), LONGEST_SLEEP_SECONDS)

    def _due(self) -> list[TriggerState]:
        with self._database.reading() as session:
            query = select(TriggerState).where(TriggerState.is_on, TriggerState.due_at <= self._clock.now())
            return list(session.scalars(query.order_by(TriggerState.due_at).limit(100)))

    def _earliest(self) -> datetime | None:
        with self._database.reading() as session:
            return session.scalar(select(func.min(TriggerState.due_at)).where(TriggerState.is_on))

    async def _take(self, row: TriggerState) -> None:
        """Fire what is due of one trigger, then move its row on; a fault is written down with it and the trigger goes on."""
        now = self._clock.now()
        recurrence = recurrence_of(row.recurrence)
        anchor, due = row.anchor_at or now, row.due_at or now
        count, last = missed(recurrence, anchor, due, now)
        moments = [due] if count == 1 else _made_up_for(recurrence, anchor, due, last, now)
        problem, asked = None, Asked()
        try:
            published = await asyncio.to_thread(self._library.published, row.playbook_id)
            name, _, batch = row.trigger_name.partition(BATCH)
            trigger = next((one for one in published.workflow.triggers if one.name == name), None)
            if trigger is None:
                raise NotFound("trigger", name)
            if batch:
                await self._batches.release(published, trigger, due_batch=batch)
                moments = moments[-1:]
            elif trigger.call is not None:
                asked = await self.asking.ask(published, trigger, row.cursor or {})
                moments = moments[-1:]
            for moment in moments:
                if asked.fires and not batch:
                    await self._fire(published, trigger, _outputs(asked, moment), dedup_key=f"{row.trigger_name}@{azure_time(moment)}")
        except (GuardshipError, LookupError, TypeError, ValueError) as error:  # one trigger's fault keeps no other from its moment
            problem = str(error)[:MOST_PROBLEM]
            log.warning("standing.not_fired", playbook_id=row.playbook_id, trigger=row.trigger_name, reason=problem)
        following = asked.again_at or next_due(recurrence, anchor, last)
        await asyncio.to_thread(self._moved, row, asked, problem, following, count - len(moments), last)

    def _moved(
        self, seen: TriggerState, asked: Asked, problem: str | None, following: datetime | None, missed_count: int, last: datetime
    ) -> None:
        with self._database.transaction() as session:
            row = session.get(TriggerState, (seen.playbook_id, seen.trigger_name))
            if row is None or not row.is_on or row.due_at != seen.due_at:
                return  # switched meanwhile
            row.due_at, row.cursor, row.problem = following, dict(asked.cursor), problem
            if asked.fires and problem is None:
                row.last_fired_at = self._clock.now()
            if missed_count:
                row.missed_count, row.missed_at = row.missed_count + missed_count, last


def _made_up_for(recurrence: Recurrence, anchor: datetime, due: datetime, last: datetime, now: datetime) -> list[datetime]:
    """Of several moments that have passed: those of the last minute, else the latest."""
    found, here = [], due
    while here <= last:
        if now - here <= MADE_UP_FOR:
            found.append(here)
        following = next_due(recurrence, anchor, here)
        if following is None:
            break
        here = following
    return found or [last]


def _outputs(asked: Asked, moment: datetime) -> Mapping[str, Any]:
    return {**asked.outputs, "scheduledTime": azure_time(moment)}


def forget(session: Session, playbook_id: str) -> None:
    """With the playbook itself."""
    for row in session.scalars(select(TriggerState).where(TriggerState.playbook_id == playbook_id)):
        session.delete(row)
