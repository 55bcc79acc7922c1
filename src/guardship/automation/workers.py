"""The workers of the server itself: one thread a slot takes jobs in line and runs them inside walls.

A job's token lives in memory only, as its process does: both are gone when the server dies.
"""

import asyncio
import hashlib
import queue
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from guardship.automation import powershell
from guardship.automation.jobs import LONGEST_STREAM_LINE, Job, JobStatus, JobStore, StreamKind, StreamLine
from guardship.automation.parameters import calls_main
from guardship.automation.runbooks import Runbook, RunbookKind, RunbookVersion
from guardship.errors import Fault, GuardshipError
from guardship.sandbox import python_runbook
from guardship.sandbox.walls import NoWalls, Place, WallKind, find_walls
from guardship.storage.database import DatabaseUnavailable
from guardship.telemetry import get_log

log = get_log("jobs")

AGAIN_SECONDS = 1.0  # after the database did not answer a slot
MOST_STREAM_BYTES = 50 * 1024 * 1024  # that one job writes through the job API
_LINE_BYTES = 64  # what a line takes beside its text

_Given = TypeVar("_Given")

_NO_PWSH = "PowerShell runbooks need pwsh, which is not installed on this machine; install it, or write the runbook in Python"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    folder: Path  # one folder a job below it
    socket: Path  # of the job API
    slots: int
    limits: python_runbook.Limits
    none_allowed: bool


@dataclass(frozen=True, slots=True)
class RunningJob:
    """The job that a token belongs to."""

    job_id: str
    name: str
    runbook: str
    attempt: int
    run_id: str | None
    actor: str
    person: str | None = None  # behind the actor


class StreamsFull(GuardshipError):
    code = "automation.streams_full"
    fault = Fault.TOO_LARGE

    def __init__(self, job: str) -> None:
        super().__init__(
            f"job {job} has written {MOST_STREAM_BYTES // (1024 * 1024)} MB to its streams, which is all it may",
            hint="write results to a file or a variable and print a summary",
        )


class Jobs:
    """Create, watch and stop jobs; threads of this process run them."""

    def __init__(self, store: JobStore, settings: WorkerSettings) -> None:
        self._store = store
        self._settings = settings
        self._line: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._tokens: dict[str, RunningJob] = {}
        self._stops: dict[str, threading.Event] = {}
        self._written: dict[str, int] = {}  # bytes that came through the job API, by job
        self._stopping = threading.Event()
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Future[Job]]]] = {}
        self._lock = threading.Lock()
        self._walls: WallKind | None = None

    def start(self) -> None:
        for job_id in self._store.take_back():
            self._line.put(job_id)
        for slot in range(self._settings.slots):
            thread = threading.Thread(target=self._work, args=(slot,), name=f"job-slot-{slot}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the slots; a job under way is killed and starts again with the next start of the server."""
        self._stopping.set()
        for _ in self._threads:
            self._line.put(None)
        with self._lock:
            for stop in self._stops.values():
                stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def create(
        self,
        name: str,
        runbook: str,
        parameters: dict[str, Any],
        *,
        run_on: str = "",
        actor: str,
        run_id: str | None = None,
        person: str | None = None,
    ) -> Job:
        job, is_new = self._store.create(name, runbook, parameters, run_on=run_on, actor=actor, run_id=run_id, person=person)
        if is_new:
            self._line.put(job.job_id)
        return job

    def get(self, name: str) -> Job:
        return self._store.get(name)

    def list(self, *, runbook: str | None = None, limit: int = 100) -> list[Job]:
        return self._store.list(runbook=runbook, limit=limit)

    def streams(self, name: str, *, after: int = 0) -> "tuple[StreamLine, ...]":
        return self._store.streams(name, after=after)

    def output(self, name: str) -> str:
        return self._store.output(name)

    def ask_to_stop(self, name: str) -> Job:
        job = self._store.ask_to_stop(name)
        with self._lock:
            if stop := self._stops.get(job.job_id):
                stop.set()
        if job.has_ended:
            self._tell(job)
        return job

    async def ended(self, name: str, timeout: float) -> Job:  # the caller's deadline, in seconds
        """Wait for the end of a job; raises TimeoutError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Job] = loop.create_future()
        job = await asyncio.to_thread(self._store.get, name)
        with self._lock:
            self._waiting.setdefault(job.job_id, []).append((loop, future))
        job = await asyncio.to_thread(self._store.get, name)  # it may have ended before we listened
        if job.has_ended:
            return job
        return await asyncio.wait_for(future, timeout)

    def running_job(self, token: str) -> RunningJob | None:
        """Whose token this is, for the job API."""
        return self._tokens.get(_hash(token))

    def write_stream(self, job: RunningJob, kind: StreamKind, text: str) -> None:
        """Raises StreamsFull."""
        text = text[:LONGEST_STREAM_LINE]
        with self._lock:
            size = self._written.get(job.job_id, 0) + len(text.encode("utf-8", "replace")) + _LINE_BYTES
            if size > MOST_STREAM_BYTES:
                raise StreamsFull(job.name)
            self._written[job.job_id] = size
        self._store.write(job.job_id, job.attempt, ((kind, text),))

    def walls(self) -> WallKind:
        """Raises NoWalls when jobs cannot run here."""
        if self._walls is None:
            self._walls = find_walls(none_allowed=self._settings.none_allowed)
        return self._walls

    def _work(self, slot: int) -> None:
        while (job_id := self._line.get()) is not None:
            try:
                ended = self._take(slot, job_id)
            except Exception:  # a slot outlives whatever one job meets
                log.exception("job.slot_stumbled", job_id=job_id, slot=slot)
                continue
            if ended is not None:
                log.info("job.ended", job_id=job_id, status=ended.status, attempt=ended.attempt)
                self._tell(ended)

    def _take(self, slot: int, job_id: str) -> Job | None:
        try:
            taken = self._insist(lambda: self._store.begin(job_id))
            return None if taken is None else self._run(slot, *taken)
        except DatabaseUnavailable:
            return None  # the server stops; the job is in line or under way, and is taken back at the next start
        except Exception as error:
            log.exception("job.broke", job_id=job_id)
            return self._end(job_id, JobStatus.FAILED, exception=str(error))

    def _insist(self, act: Callable[[], _Given]) -> _Given:
        """What `act` gives once the database answers; raises DatabaseUnavailable only when the server stops first."""
        while True:
            try:
                return act()
            except DatabaseUnavailable as error:
                log.warning("job.waits_for_database", reason=str(error))
                if self._stopping.wait(AGAIN_SECONDS):
                    raise

    def _end(self, job_id: str, status: JobStatus, *, exception: str | None = None, limits_held: tuple[str, ...] = ()) -> Job:
        return self._insist(lambda: self._store.end(job_id, status, exception=exception, limits_held=limits_held))

    def _run(self, slot: int, job: Job, version: RunbookVersion, runbook: Runbook) -> Job | None:
        is_powershell = runbook.kind == RunbookKind.POWERSHELL
        pwsh = powershell.pwsh() if is_powershell else None
        if is_powershell and pwsh is None:
            return self._fail(job, _NO_PWSH)
        try:
            walls = self.walls()
        except NoWalls as error:
            return self._fail(job, str(error))
        stop, token = threading.Event(), secrets.token_urlsafe(32)
        with self._lock:
            self._stops[job.job_id] = stop
            self._tokens[_hash(token)] = RunningJob(job.job_id, job.name, job.runbook, job.attempt, job.run_id, job.actor, job.person)
        place = Place(slot, self._settings.folder / f"{job.job_id}-{job.attempt}", self._settings.socket, runbook.has_network, pwsh)
        pen = _Pen(self._store, job)
        try:
            if not self._insist(lambda: self._store.mark_running(job.job_id, walls=walls)):
                return self._end(job.job_id, JobStatus.STOPPED)
            outcome = python_runbook.run(
                version.script,
                job.parameters,
                calls_main=not is_powershell and calls_main(version.script),
                place=place,
                kind=walls,
                limits=self._settings.limits,
                token=token,
                take_lines=pen.take,
                stop=stop,
            )
        finally:
            with self._lock:
                self._stops.pop(job.job_id, None)
                self._tokens.pop(_hash(token), None)
                self._written.pop(job.job_id, None)
            shutil.rmtree(place.folder, ignore_errors=True)
        return self._ended(job, outcome, pen)

    def _ended(self, job: Job, outcome: python_runbook.Outcome, pen: "_Pen") -> Job | None:
        if outcome.reason == "stopped":
            if self._insist(lambda: self._store.get(job.job_id)).status is not JobStatus.STOPPING:
                return None  # the server stops, not the job: it stays under way and is taken back at the next start
            return self._end(job.job_id, JobStatus.STOPPED, limits_held=outcome.limits_held)
        if outcome.reason is None and outcome.exit_code == 0:
            return self._end(job.job_id, JobStatus.COMPLETED, limits_held=outcome.limits_held)
        why = outcome.reason or pen.last_error or f"the process ended with {outcome.exit_code}"
        return self._end(job.job_id, JobStatus.FAILED, exception=why, limits_held=outcome.limits_held)

    def _fail(self, job: Job, why: str) -> Job:
        self._insist(lambda: self._store.write(job.job_id, job.attempt, ((StreamKind.ERROR, why),)))
        return self._end(job.job_id, JobStatus.FAILED, exception=why)

    def _tell(self, job: Job) -> None:
        with self._lock:
            waiting = self._waiting.pop(job.job_id, [])
        for loop, future in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future, job)


class _Pen:
    """Writes a job's lines and remembers the last one of its errors."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self._job = job
        self.last_error: str | None = None

    def take(self, lines: Sequence[tuple[python_runbook.Stream, str]]) -> None:
        self.last_error = next((text for stream, text in reversed(lines) if stream is python_runbook.Stream.ERROR), self.last_error)
        try:
            self._store.write(self._job.job_id, self._job.attempt, tuple((StreamKind(stream.value), text) for stream, text in lines))
        except GuardshipError as error:
            log.warning("job.stream_lost", job_id=self._job.job_id, reason=str(error))


def _settle(future: "asyncio.Future[Job]", job: Job) -> None:
    if not future.done():
        future.set_result(job)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
