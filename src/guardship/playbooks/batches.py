"""Batches: messages that playbooks send to a Batch trigger, kept until a criterion of it is met, then the body of one run.

What is let go is marked with a release first, becomes a run under that release's key, and goes only then: a crash in between makes the
same run, not another, and loses no message. A playbook that is switched off keeps what comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Index, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.clock import Clock
from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.playbooks.child_runs import FindByName, named_workflow
from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.playbooks.definition import BatchCriteria, Trigger
from guardship.playbooks.expressions.values import text_of
from guardship.playbooks.firing import NotPublished, Published
from guardship.storage.database import Database
from guardship.storage.schema import Base, Moment

KNOWN_FOR = timedelta(days=7)
MOST_ITEMS = 8000
MOST_BYTES = 80 * 1024 * 1024


class BatchItem(Base):
    __tablename__ = "playbooks_batch_item"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    playbook_id: Mapped[str] = mapped_column(String(40))
    trigger_name: Mapped[str] = mapped_column(String(200))
    batch_name: Mapped[str] = mapped_column(String(200))
    partition_name: Mapped[str] = mapped_column(String(200))
    message_key: Mapped[str] = mapped_column(String(80), unique=True)  # of the call that sent it
    message_id: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    release_id: Mapped[str | None] = mapped_column(String(40), index=True)
    received_at: Mapped[datetime] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_playbooks_batch_item_place", "playbook_id", "trigger_name", "batch_name", "partition_name"),)


Fire = Callable[..., Awaitable[Any]]


class Batches:
    """The store, and the connector that SendToBatch calls."""

    name = "batch"
    title = "Batches"
    operations = (Operation("send", "POST", "", Recovery.RETRY, summary="send a message to a batch"),)
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._find: FindByName | None = None
        self._fire: Fire | None = None
        self._is_on: Callable[[str, str], bool] = lambda playbook_id, trigger_name: True

    def attach(self, find: FindByName, fire: Fire, is_on: Callable[[str, str], bool]) -> None:
        """Given late: what runs playbooks is built with the connectors."""
        self._find, self._fire, self._is_on = find, fire, is_on

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        if self._find is None:
            raise CallFailed("NotReady", "playbooks are not started yet", may_retry=True)
        name, trigger_name = named_workflow(request.options.get("host"))
        batch_name = text_of(request.options.get("batchname"))
        try:
            published = self._find(name)
        except (NotFound, NotPublished) as error:
            raise CallFailed("WorkflowNotFound", f"there is no published playbook called {name} here") from error
        trigger = _batch_trigger(published, trigger_name, batch_name)
        item = BatchItem(
            playbook_id=published.playbook_id,
            trigger_name=trigger.name,
            batch_name=batch_name,
            partition_name=text_of(request.options.get("partitionname")) or "DEFAULT",
            message_key=context.idempotency_key,
            message_id=text_of(request.options.get("messageid")) or context.guid,
            content=orjson.dumps(request.options.get("content")).decode(),
            size=len(orjson.dumps(request.options.get("content"))),
            received_at=self._clock.now(),
        )
        await asyncio.to_thread(self._keep, item)
        await self.release(published, trigger)
        body = {"batchName": batch_name, "partitionName": item.partition_name, "messageId": item.message_id}
        return ConnectorResponse(202, {}, body, is_final=True)

    def _keep(self, item: BatchItem) -> None:
        """Once, however often the call is made, and whether or not it has gone by then."""
        with self._database.transaction() as session:
            if session.scalar(select(BatchItem.number).where(BatchItem.message_key == item.message_key)) is None:
                item.number = (session.scalar(select(func.max(BatchItem.number))) or 0) + 1
                session.add(item)

    async def release(self, published: Published, trigger: Trigger, *, due_batch: str | None = None) -> int:
        """Let go what fulfils its criterion, and all partitions of the batch whose moment has come. How many batches went."""
        if self._fire is None or not await asyncio.to_thread(self._mark_what_goes, published.playbook_id, trigger, due_batch):
            return 0
        return await self._send_marked(published, trigger)

    def _mark_what_goes(self, playbook_id: str, trigger: Trigger, due_batch: str | None) -> bool:
        if not self._is_on(playbook_id, trigger.name):
            return False
        with self._database.transaction() as session:
            for batch, partition, count, size in self._places(session, playbook_id, trigger.name):
                criteria = trigger.batches.get(batch) or BatchCriteria()
                if _is_met(criteria, count, size) or batch == due_batch:
                    self._mark(session, playbook_id, trigger.name, batch, partition, criteria)
        return True

    async def _send_marked(self, published: Published, trigger: Trigger) -> int:
        """Marked batches become runs; what a crash left marked too."""
        assert self._fire is not None
        count = 0
        for release_id, body in await asyncio.to_thread(self._marked, published.playbook_id, trigger.name):
            await self._fire(published, trigger, {"body": body}, dedup_key=release_id)
            await asyncio.to_thread(self._forget, release_id)
            count += 1
        return count

    def _forget(self, release_id: str) -> None:
        """Its content goes; that it was there stays for a while, so that a call made again is known."""
        now = self._clock.now()
        with self._database.transaction() as session:
            session.execute(update(BatchItem).where(BatchItem.release_id == release_id).values(sent_at=now, content="null"))
            session.execute(delete(BatchItem).where(BatchItem.sent_at < now - KNOWN_FOR))

    def _places(self, session: Session, playbook_id: str, trigger_name: str) -> list[tuple[str, str, int, int]]:
        waiting = (BatchItem.playbook_id == playbook_id, BatchItem.trigger_name == trigger_name, BatchItem.release_id.is_(None))
        columns = (BatchItem.batch_name, BatchItem.partition_name, func.count(), func.sum(BatchItem.size))
        query = select(*columns).where(*waiting).group_by(BatchItem.batch_name, BatchItem.partition_name)
        return [(batch, partition, count, int(size)) for batch, partition, count, size in session.execute(query)]

    def _mark(self, session: Session, playbook_id: str, trigger_name: str, batch: str, partition: str, criteria: BatchCriteria) -> None:
        most = min(criteria.message_count or MOST_ITEMS, MOST_ITEMS)
        chosen = (
            select(BatchItem.number)
            .where(
                BatchItem.playbook_id == playbook_id,
                BatchItem.trigger_name == trigger_name,
                BatchItem.batch_name == batch,
                BatchItem.partition_name == partition,
                BatchItem.release_id.is_(None),
            )
            .order_by(BatchItem.number)
            .limit(most)
        )
        numbers = list(session.scalars(chosen))
        session.execute(update(BatchItem).where(BatchItem.number.in_(numbers)).values(release_id=new_id("btch")))

    def _marked(self, playbook_id: str, trigger_name: str) -> list[tuple[str, Mapping[str, Any]]]:
        with self._database.reading() as session:
            query = select(BatchItem).where(
                BatchItem.playbook_id == playbook_id,
                BatchItem.trigger_name == trigger_name,
                BatchItem.release_id.is_not(None),
                BatchItem.sent_at.is_(None),
            )
            bodies: dict[str, dict[str, Any]] = {}
            for item in session.scalars(query.order_by(BatchItem.number)):
                body = bodies.setdefault(
                    str(item.release_id), {"batchName": item.batch_name, "partitionName": item.partition_name, "items": []}
                )
                body["items"].append({"messageId": item.message_id, "content": orjson.loads(item.content)})
        return list(bodies.items())


def _is_met(criteria: BatchCriteria, count: int, size: int) -> bool:
    by_count = criteria.message_count is not None and count >= criteria.message_count
    by_size = criteria.size_bytes is not None and size >= criteria.size_bytes
    return by_count or by_size or count >= MOST_ITEMS or size >= MOST_BYTES


def _batch_trigger(published: Published, trigger_name: str, batch_name: str) -> Trigger:
    batching = [trigger for trigger in published.workflow.triggers if trigger.batches]
    folded = trigger_name.casefold()
    trigger = next((one for one in batching if not folded or one.name.casefold() == folded), None)
    if trigger is None:
        raise CallFailed("WorkflowTriggerNotFound", f"the playbook {published.playbook_name} has no Batch trigger {trigger_name}".rstrip())
    if batch_name not in trigger.batches:
        known = ", ".join(trigger.batches)
        raise CallFailed(
            "BatchNotFound", f"the trigger {trigger.name} of {published.playbook_name} has no batch {batch_name}, it has {known}"
        )
    return trigger
