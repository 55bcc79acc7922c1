"""The journal on PostgreSQL: what SQLite's one process never meets."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.playbooks.alert_triggers import SecurityCenterAlert
from tests.unit.playbooks.engine_room import Desk, World, call, compose, definition
from tests.unit.playbooks.test_journal import an_append, submit

from guardship.clock import SystemClock
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.dispatch.boundary import Dispatch
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Journal, StaleLease
from guardship.playbooks.journal_postgres import PostgresStore
from guardship.playbooks.journal_writer import JournalUnavailable
from guardship.playbooks.library import Library
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.runner import Runner
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.vault import Vault

WAIT = {"Wait": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {}}}


class Worker:
    """One of several processes' engines, here beside the others in one."""

    def __init__(self, url: str, folder: Path, seat: str, *, dispatch: Dispatch | None = None) -> None:
        self.database = Database(url)
        self.clock = SystemClock()
        self.desk = Desk(World(folder / "world.jsonl"))
        known = ConnectorSet([self.desk, SecurityCenterAlert()])
        vault = Vault.open(folder / "vault.key")
        self.library = Library(self.database, known, self.clock)
        self.journal = Journal(self.database, Blobs(folder / "blobs"), Payloads(vault), self.clock, FaultPoints(), seat=seat)
        connections = Connections(self.database, vault, self.clock)
        self.runner = Runner(self.journal, self.library, known, connections, self.clock, FaultPoints(), dispatch=dispatch)

    async def __aenter__(self) -> "Worker":
        await self.runner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.stop(grace_seconds=0.2)
        self.database.close()

    def publish(self, actions: dict[str, Any], name: str = "probe") -> str:
        draft = self.library.import_definition(name, definition(actions), by="ada")[0]
        self.library.publish(draft.playbook_id, by="ada")
        return draft.playbook_id

    async def waiting_run(self) -> str:
        """One that stands at a wait of an hour, and that nobody holds."""
        accepted = await self.runner.accept_soon(Firing(self.publish(WAIT, "waits"), None, None))
        sql = "SELECT 1 FROM playbooks_run WHERE run_id=:run_id AND lease_owner IS NULL"
        while not self.database.ask(sql, {"run_id": accepted.run_id}):
            await asyncio.sleep(0.02)
        return accepted.run_id


@pytest.fixture
def worker(url: str, tmp_path: Path) -> Callable[[str], Worker]:
    return lambda seat: Worker(url, tmp_path, seat)


MakeWorker = Callable[[str], Worker]


def test_a_run_has_one_worker_and_who_was_replaced_is_refused(worker: MakeWorker) -> None:
    async def work() -> None:
        async with worker("a/") as first, worker("b/") as second:
            run_id = await first.waiting_run()
            held = await first.journal.lease(run_id, "a/1")
            assert held is not None
            assert await second.journal.lease(run_id, "b/1") is None
            with first.database.transaction() as session:
                session.connection().exec_driver_sql("UPDATE playbooks_run SET lease_until = 1 WHERE lease_owner = 'a/1'")
            assert [one[0] for one in second.journal.waiting_work(0)] == [run_id]
            taken = await second.journal.lease(run_id, "b/1")
            assert taken is not None
            assert taken.epoch == held.epoch + 1
            with pytest.raises(StaleLease):
                await submit(first, an_append(run_id, epoch=held.epoch, version=held.version))  # type: ignore[arg-type]  # as much as it asks for
            assert await submit(second, an_append(run_id, epoch=taken.epoch, version=taken.version)) == taken.version + 1  # type: ignore[arg-type]

    asyncio.run(work())


def test_who_starts_anew_frees_the_leases_of_its_own_seat_alone(worker: MakeWorker) -> None:
    async def work() -> tuple[int, int]:
        async with worker("a/") as first, worker("b/") as second:
            run_id = await first.waiting_run()
            await first.journal.lease(run_id, "a/1")
            return await second.journal.free_leftovers(), await first.journal.free_leftovers()

    assert asyncio.run(work()) == (0, 1)


def test_several_processes_never_give_a_number_twice(worker: MakeWorker) -> None:
    async def work() -> list[int]:
        async with worker("a/") as first, worker("b/") as second:
            playbook_id = first.publish({"A": compose(1, runAfter={})})
            firings = [each.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(60) for each in (first, second)]
            return [accepted.number for accepted in await asyncio.gather(*firings)]

    numbers = asyncio.run(work())
    assert len(set(numbers)) == 120


def test_the_same_key_in_two_processes_makes_one_run(worker: MakeWorker) -> None:
    async def work() -> list[Any]:
        async with worker("a/") as first, worker("b/") as second:
            playbook_id = first.publish({"A": compose(1, runAfter={})})
            keyed = [
                each.runner.accept_soon(Firing(playbook_id, None, None), dedup_key=f"k{number}")
                for number in range(20)
                for each in (first, second)
            ]
            return list(await asyncio.gather(*keyed))

    accepted = asyncio.run(work())
    assert Counter(one.is_new for one in accepted) == {True: 20, False: 20}
    assert len({one.run_id for one in accepted}) == 20


def test_a_timer_fires_in_one_process(worker: MakeWorker) -> None:
    pause = {"Pause": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}}

    async def work() -> tuple[list[str], int]:
        async with worker("a/") as first, worker("b/") as second:
            actions = {**pause, "Tell": call("post", "/letters", {}, runAfter={"Pause": ["Succeeded"]})}
            playbook_id = first.publish(actions)
            accepted = [await first.runner.accept_soon(Firing(playbook_id, None, None)) for _ in range(10)]
            statuses = []
            for one in accepted:
                while (status := await asyncio.to_thread(second.journal.ended_status, one.run_id)) is None:
                    await asyncio.sleep(0.05)
                statuses.append(status)
            return statuses, len(first.desk.world.deeds("send"))

    assert asyncio.run(asyncio.wait_for(work(), 60)) == (["Succeeded"] * 10, 10)


def test_a_commit_whose_answer_is_lost_is_read_back(worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has committed; only its word of it did not arrive."""
    whole = PostgresStore.commit
    lost: list[bool] = []

    def lose(store: PostgresStore) -> None:
        if lost:
            whole(store)
            return
        lost.append(True)
        store._opened.execute("COMMIT")
        store._opened.close()
        whole(store)

    async def work() -> str:
        async with worker("a/") as first:
            playbook_id = first.publish({"A": compose(1, runAfter={})})
            monkeypatch.setattr(PostgresStore, "commit", lose)
            accepted = await first.runner.accept_soon(Firing(playbook_id, None, None))
            return await first.runner.wait_ended(accepted.run_id)

    assert asyncio.run(asyncio.wait_for(work(), 30)) == "Succeeded"
    assert lost


def test_a_commit_that_did_not_happen_is_not_acknowledged(worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PostgresStore.commit
    cut: list[bool] = []

    def fall(store: PostgresStore) -> None:
        if not cut:
            cut.append(True)
            number = store._opened.info.backend_pid
            with store._server.connect() as other:
                other.execute("SELECT pg_terminate_backend(%s)", (number,))
        whole(store)

    async def work() -> tuple[int, str]:
        async with worker("a/") as first:
            playbook_id = first.publish({"A": compose(1, runAfter={})})
            monkeypatch.setattr(PostgresStore, "commit", fall)
            with pytest.raises(JournalUnavailable):
                await first.runner.accept_soon(Firing(playbook_id, None, None), dedup_key="k")
            count = first.database.ask("SELECT count(*) FROM playbooks_run", {})[0][0]
            accepted = await first.runner.accept_soon(Firing(playbook_id, None, None), dedup_key="k")
            return count, await first.runner.wait_ended(accepted.run_id)

    assert asyncio.run(asyncio.wait_for(work(), 30)) == (0, "Succeeded")


def test_the_journals_tables_keep_their_sealed_payloads_until_the_end_and_the_order_of_keys(worker: MakeWorker) -> None:
    hidden = {"secureData": {"properties": ["inputs", "outputs"]}}

    async def work() -> tuple[int, list[str]]:
        async with worker("a/") as first:
            actions = {
                "Ask": call("get", "/things/x", runtimeConfiguration=hidden, runAfter={}),
                "Open": compose({"z": 1, "a": 2}, runAfter={"Ask": ["Succeeded"]}),
            }
            accepted = await first.runner.accept_soon(Firing(first.publish(actions), None, None))
            assert await first.runner.wait_ended(accepted.run_id) == "Succeeded"
            sealed = "SELECT (SELECT count(*) FROM playbooks_journal WHERE body LIKE '%sealed%') + count(*) FROM playbooks_action "
            left = first.database.ask(sealed + "WHERE inputs_ref LIKE '%sealed%' OR outputs_ref LIKE '%sealed%'", {})[0][0]
            workflow = first.library.published(first.library.named("probe").playbook_id).workflow
            loaded = first.journal.load(accepted.run_id, workflow)
            return left, list(loaded.state.records["Open"].outputs)  # type: ignore[arg-type]  # an object

    assert asyncio.run(work()) == (0, ["z", "a"])
