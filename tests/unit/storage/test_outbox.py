import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from guardship.clock import HeldClock
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.storage.outbox import MOST_TRIES, Event, Outbox, OutboxEvent


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(datetime(2026, 11, 24, 3, 14, 5, tzinfo=UTC))


def write(database: Database, clock: HeldClock, *texts: str, subject: str = "alert:1") -> None:
    with database.transaction() as session:
        for text in texts:
            outbox.publish(session, subject, "AlertRaised", {"text": text}, at=clock.now())


def test_events_of_one_subject_arrive_in_order(database: Database, clock: HeldClock) -> None:
    seen: list[str] = []
    box = Outbox(database, clock)
    box.subscribe("AlertRaised", lambda event: seen.append(event.payload["text"]))
    write(database, clock, "a", "b", "c")
    assert box.deliver_due() == 3
    assert seen == ["a", "b", "c"]


def test_an_event_is_not_written_when_its_transaction_fails(database: Database, clock: HeldClock) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        outbox.publish(session, "s", "AlertRaised", {}, at=clock.now())
        raise ZeroDivisionError
    assert Outbox(database, clock).waiting_count() == 0


def test_after_eight_tries_an_event_is_set_aside_and_only_its_subject_waits(database: Database, clock: HeldClock) -> None:
    seen: list[str] = []

    def take(event: Event) -> None:
        if event.payload["text"] == "bad":
            raise ValueError("cannot")
        seen.append(event.payload["text"])

    box = Outbox(database, clock)
    box.subscribe("AlertRaised", take)
    write(database, clock, "bad", "behind it", subject="alert:1")
    write(database, clock, "other", subject="alert:2")
    for _ in range(MOST_TRIES):
        box.deliver_due()
        clock.advance(timedelta(minutes=10))
    assert seen == ["other"]
    aside = box.set_aside()
    assert [(row.payload["text"], row.tries, row.error) for row in aside] == [("bad", MOST_TRIES, "cannot")]


def test_an_event_that_was_set_aside_can_be_tried_again(database: Database, clock: HeldClock) -> None:
    is_broken = [True]
    seen: list[str] = []

    def take(event: Event) -> None:
        if is_broken[0]:
            raise ValueError("cannot")
        seen.append(event.payload["text"])

    box = Outbox(database, clock)
    box.subscribe("AlertRaised", take)
    write(database, clock, "first", "second")
    for _ in range(MOST_TRIES):
        box.deliver_due()
        clock.advance(timedelta(minutes=10))
    is_broken[0] = False
    box.try_again(box.set_aside()[0].event_id)
    box.deliver_due()
    assert seen == ["first", "second"]


def test_delivery_waits_longer_after_each_try(database: Database, clock: HeldClock) -> None:
    tries: list[datetime] = []

    def take(event: Event) -> None:
        tries.append(clock.now())
        raise ValueError("cannot")

    box = Outbox(database, clock)
    box.subscribe("AlertRaised", take)
    write(database, clock, "a")
    for _ in range(40):
        box.deliver_due()
        clock.advance(timedelta(seconds=0.1))
    pauses = [later - earlier for earlier, later in zip(tries, tries[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert len(tries) < 7


def test_a_started_outbox_delivers_by_itself(database: Database, clock: HeldClock) -> None:
    arrived = threading.Event()
    box = Outbox(database, clock)
    box.subscribe("AlertRaised", lambda _: arrived.set())
    box.start()
    try:
        write(database, clock, "a")
        assert arrived.wait(5)
    finally:
        box.stop()


def test_what_was_delivered_long_ago_is_forgotten_and_nothing_else(database: Database, clock: HeldClock) -> None:
    box = Outbox(database, clock)

    def take(event: Event) -> None:
        if event.subject == "bad":
            raise ValueError("cannot")

    box.subscribe("AlertRaised", take)
    write(database, clock, "old", subject="good")
    write(database, clock, "old but not taken", subject="bad")
    box.deliver_due()
    clock.advance(timedelta(days=3, seconds=1))
    write(database, clock, "young", subject="good")
    box.deliver_due()
    with database.transaction() as session:
        outbox.forget_delivered(session, at=clock.now())
    with database.reading() as session:
        kept = session.scalars(select(OutboxEvent).order_by(OutboxEvent.position))
        assert [row.payload["text"] for row in kept] == ["old but not taken", "young"]


def test_eight_subjects_are_delivered_at_once(database: Database, clock: HeldClock) -> None:
    gate = threading.Barrier(9, timeout=10)
    box = Outbox(database, clock)

    def meet(_: Event) -> None:
        gate.wait()

    box.subscribe("AlertRaised", meet)
    for number in range(8):
        write(database, clock, "a", subject=f"alert:{number}")
    box.start()
    try:
        gate.wait()
    finally:
        box.stop()
