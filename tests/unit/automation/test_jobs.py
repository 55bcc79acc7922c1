"""Jobs from line to end, with real processes."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardship.automation import assets, runbooks, workers
from guardship.automation.assets import AssetKind, AssetNotFound
from guardship.automation.jobs import MOST_ATTEMPTS, Job, JobStatus, JobStore, StreamKind
from guardship.automation.runbooks import RunbookKind
from guardship.automation.workers import Jobs, RunningJob, StreamsFull, WorkerSettings
from guardship.clock import SystemClock
from guardship.errors import NotFound
from guardship.sandbox.python_runbook import Limits
from guardship.storage.database import Database, DatabaseUnavailable
from guardship.storage.vault import Vault

CLOCK = SystemClock()


def make_jobs(database: Database, folder: Path, *, slots: int = 1) -> Jobs:
    settings = WorkerSettings(folder / "jobs", folder / "job.sock", slots, Limits(wall_seconds=20), none_allowed=False)
    return Jobs(JobStore(database, CLOCK), settings)


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Iterator[Jobs]:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "job.sock"))
        jobs = make_jobs(database, tmp_path)
        jobs.start()
        yield jobs
        jobs.stop()


def publish(database: Database, script: str, *, name: str = "IsolateVM", kind: RunbookKind = RunbookKind.PYTHON) -> None:
    with database.transaction() as session:
        runbooks.save_draft(session, name, script, kind=kind, at=CLOCK.now())
        runbooks.publish(session, name, by="user mara", at=CLOCK.now())


def end_of(jobs: Jobs, name: str) -> Job:
    return asyncio.run(jobs.ended(name, 20))


def test_a_job_runs_and_its_output_is_kept(database: Database, jobs: Jobs) -> None:
    publish(database, "def main(VMName: str):\n    print('isolating', VMName)")
    jobs.create("j1", "isolatevm", {"vmname": "web-1"}, actor="run 1")
    ended = end_of(jobs, "j1")
    assert (ended.status, ended.attempt, ended.runbook) == (JobStatus.COMPLETED, 1, "IsolateVM")
    assert jobs.output("j1") == "isolating web-1"
    assert ended.walls in ("bubblewrap", "namespaces")
    assert "memory" in ended.limits_held


def test_the_same_name_is_the_same_job(database: Database, jobs: Jobs) -> None:
    publish(database, "print('once')")
    first = jobs.create("j1", "IsolateVM", {}, actor="run 1")
    assert jobs.create("j1", "IsolateVM", {}, actor="run 1").job_id == first.job_id
    end_of(jobs, "j1")
    assert jobs.output("j1") == "once"


def test_a_job_that_raises_fails_with_its_last_words(database: Database, jobs: Jobs) -> None:
    publish(database, "import sys\nprint('before')\nraise LookupError('no NIC of web-9')")
    jobs.create("j1", "IsolateVM", {}, actor="run 1")
    ended = end_of(jobs, "j1")
    assert (ended.status, ended.exception) == (JobStatus.FAILED, "LookupError: no NIC of web-9")
    assert next(line.kind for line in jobs.streams("j1")) is StreamKind.OUTPUT


def test_a_job_can_be_stopped(database: Database, jobs: Jobs) -> None:
    publish(database, "import time; print('up', flush=True); time.sleep(30)")
    jobs.create("j1", "IsolateVM", {}, actor="run 1")

    async def stop_when_up() -> Job:
        while not await asyncio.to_thread(jobs.output, "j1"):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(jobs.ask_to_stop, "j1")
        return await jobs.ended("j1", 10)

    assert asyncio.run(stop_when_up()).status is JobStatus.STOPPED


def test_a_job_in_line_stops_at_once(database: Database, tmp_path: Path) -> None:
    publish(database, "print(1)")
    idle = make_jobs(database, tmp_path)
    idle.create("j1", "IsolateVM", {}, actor="run 1")
    assert idle.ask_to_stop("j1").status is JobStatus.STOPPED


def test_a_job_whose_process_died_with_the_server_is_taken_back_three_times(database: Database) -> None:
    publish(database, "print(1)")
    store = JobStore(database, CLOCK)
    job, _ = store.create("j1", "IsolateVM", {}, run_on="", actor="run 1", run_id=None)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        begun = store.begin(job.job_id)
        assert begun is not None
        assert begun[0].attempt == attempt
        back = store.take_back()
        assert back == ((job.job_id,) if attempt < MOST_ATTEMPTS else ())
    assert store.get("j1").status is JobStatus.FAILED


def test_a_powershell_runbook_says_that_pwsh_is_missing(database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardship.automation.powershell.shutil.which", lambda _: None)
    publish(database, "Param([string]$VMName)\nWrite-Output $VMName", kind=RunbookKind.POWERSHELL)
    jobs.create("j1", "IsolateVM", {"VMName": "web-1"}, actor="run 1")
    ended = end_of(jobs, "j1")
    assert ended.status is JobStatus.FAILED
    assert "pwsh" in str(ended.exception)


def test_a_job_of_an_unknown_runbook_is_not_created(jobs: Jobs) -> None:
    with pytest.raises(NotFound, match="Nope"):
        jobs.create("j1", "Nope", {}, actor="run 1")


def test_a_token_is_known_only_while_its_job_runs(jobs: Jobs) -> None:
    assert jobs.running_job("guess") is None


def test_a_connection_never_gives_its_secret_to_a_job(database: Database) -> None:
    vault = Vault(b"k" * 32)
    with database.transaction() as session:
        for kind in (AssetKind.CONNECTION, AssetKind.CREDENTIAL):
            assets.put_asset(
                session, kind, "A", fields={"TenantId": "t"}, secrets={"password": "p"}, vault=vault, by="user mara", at=CLOCK.now()
            )
    with database.reading() as session:
        assert assets.for_job(session, AssetKind.CONNECTION, "A", vault) == {"TenantId": "t"}
        assert assets.for_job(session, AssetKind.CREDENTIAL, "A", vault) == {"TenantId": "t", "password": "p"}
        with pytest.raises(AssetNotFound, match="Variable B not found"):
            assets.for_job(session, AssetKind.VARIABLE, "B", vault)
        sealed = assets.asset(session, AssetKind.CREDENTIAL, "A").sealed
    assert sealed is not None
    assert b"password" not in sealed


class Fussy(JobStore):
    """A store whose database is away for the first calls of what `away` names."""

    def __init__(self, database: Database, **away: int) -> None:
        super().__init__(database, CLOCK)
        self.away = away

    def __getattribute__(self, name: str) -> Any:
        away = object.__getattribute__(self, "__dict__").get("away", {})
        if away.get(name, 0) > 0:
            away[name] -= 1
            raise DatabaseUnavailable("the database is locked")
        return super().__getattribute__(name)


@pytest.mark.parametrize("away", ["begin", "mark_running", "end"])
def test_a_slot_and_its_job_outlive_a_database_that_is_away(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr(workers, "AGAIN_SECONDS", 0.05)
    publish(database, "print('done')")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "job.sock"))
        settings = WorkerSettings(tmp_path / "jobs", tmp_path / "job.sock", 1, Limits(wall_seconds=20), none_allowed=False)
        jobs = Jobs(Fussy(database, **{away: 2}), settings)
        jobs.start()
        try:
            for name in ("j1", "j2"):
                jobs.create(name, "IsolateVM", {}, actor="run 1")
                assert end_of(jobs, name).status is JobStatus.COMPLETED
        finally:
            jobs.stop()


def test_a_job_that_was_stopped_before_it_ran_does_not_run(database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(database, "print('ran')")
    store = jobs._store
    begin = store.begin

    def begin_and_stop(job_id: str) -> Any:
        begun = begin(job_id)
        store.ask_to_stop(job_id)
        return begun

    monkeypatch.setattr(store, "begin", begin_and_stop)
    jobs.create("j1", "IsolateVM", {}, actor="run 1")
    assert end_of(jobs, "j1").status is JobStatus.STOPPED
    assert jobs.streams("j1") == ()


def test_a_job_that_was_to_stop_when_the_server_died_is_not_started_again(database: Database) -> None:
    publish(database, "print(1)")
    store = JobStore(database, CLOCK)
    job, _ = store.create("j1", "IsolateVM", {}, run_on="", actor="run 1", run_id=None)
    store.begin(job.job_id)
    store.ask_to_stop("j1")
    assert store.take_back() == ()
    assert store.get("j1").status is JobStatus.STOPPED


def test_a_job_remembers_the_person_behind_it(database: Database) -> None:
    publish(database, "print(1)")
    store = JobStore(database, CLOCK)
    store.create("j1", "IsolateVM", {}, run_on="", actor="playbook Isolate, run 7", run_id="run_1", person="user mara")
    assert store.get("j1").person == "user mara"


def test_a_job_cannot_fill_the_streams_through_its_api(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_STREAM_BYTES", 3 * 1024 * 1024)
    publish(database, "print(1)")
    jobs = make_jobs(database, tmp_path)
    job = jobs.create("j1", "IsolateVM", {}, actor="run 1")
    running = RunningJob(job.job_id, "j1", "IsolateVM", 1, None, "run 1")
    for _ in range(2):
        jobs.write_stream(running, StreamKind.VERBOSE, "x" * 2 * 1024 * 1024)  # cut to a megabyte
    with pytest.raises(StreamsFull, match="has written 3 MB"):
        jobs.write_stream(running, StreamKind.VERBOSE, "x" * 1024 * 1024)
    assert len(jobs.streams("j1")) == 2


def test_a_job_that_prints_without_end_can_be_stopped(database: Database, jobs: Jobs) -> None:
    publish(database, "while True:\n    print('x')")
    jobs.create("j1", "IsolateVM", {}, actor="run 1")

    async def stop_when_up() -> Job:
        while not await asyncio.to_thread(jobs.streams, "j1"):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(jobs.ask_to_stop, "j1")
        return await jobs.ended("j1", 5)

    assert asyncio.run(stop_when_up()).status is JobStatus.STOPPED
