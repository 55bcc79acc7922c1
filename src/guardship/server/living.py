"""Starts what was built, in order, keeps its clocks, and stops it again: nothing acknowledged is lost on the way."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from guardship.api.app import create_app
from guardship.api.job_api import create_app as create_job_app
from guardship.containment import isolations
from guardship.containment.held_writes import HeldWrites
from guardship.containment.isolations import OPEN_STATES, Finding, Isolation, State
from guardship.containment.ledger import OPENED, RELEASED
from guardship.containment.verification import VERIFIED
from guardship.detection.alerts import ALERT_RAISED, INCIDENT_CREATED
from guardship.detection.log_rows import ROWS_DUE
from guardship.errors import GuardshipError, NotFound
from guardship.identity import approvals, sessions
from guardship.server import interpreter
from guardship.server.building import House
from guardship.server.doorways import Doorway, Doorways
from guardship.server.telling import Telling
from guardship.storage import outbox
from guardship.telemetry import get_log

TICK_SECONDS = 5.0
PROBE_AGAIN_SECONDS = {True: 60.0, False: 10.0}  # by whether the isolation is proved
NAMES_SECONDS = 60.0
SWEEP_SECONDS = 3600.0
GO_ON_SECONDS = 60.0
LOCAL_FILE_MODE = 0o600

THREADS = 32  # for what the loop hands to threads; its own number is too small for calls that wait

UNFORESEEN = (SQLAlchemyError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)

log = get_log("server")


class Living:
    def __init__(self, house: House) -> None:
        self._house = house
        doors = house.doors
        self._telling = Telling(doors.database, doors.news, doors.runs, doors.library)
        self._stopping = asyncio.Event()
        self._ticks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop

    def stop_soon(self) -> None:
        self._stopping.set()

    async def live(self, doorways: Doorways, *, ready: Callable[[], None]) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        give_threads(self._loop)
        self._subscribe()
        app = create_app(self._house.doors)
        jobs = Doorway(_job_door(self._house.layout.job_door), None)
        doors = [(app, doorways.main), (app, doorways.clients), (create_job_app(self._house.doors, self._incident_of), jobs)]
        servers = [(_Quiet(_config(each, doorway)), doorway) for each, doorway in doors]
        serving = [asyncio.create_task(server.serve(sockets=[doorway.listener])) for server, doorway in servers]
        try:
            await self._start()
            while not all(server.started for server, _ in servers):
                await asyncio.sleep(0.005)
            ready()
            await self._stopping.wait()
        finally:
            self._house.doors.news.close()
            for server, _ in servers:
                server.should_exit = True
            await asyncio.gather(*serving, return_exceptions=True)
            await self._stop()

    async def _start(self) -> None:
        house, doors = self._house, self._house.doors
        await asyncio.to_thread(house.connecting.connect_known)
        await asyncio.to_thread(house.machine_names.refresh)
        doors.outbox.start()
        doors.jobs.start()
        doors.runner.listen(self._telling.run_changed)
        await doors.runner.start()
        house.scheduler.start()
        work = (
            (self._keep_leases, TICK_SECONDS),
            (self._probe_again, TICK_SECONDS),
            (house.connecting.settle, TICK_SECONDS),
            (self._refresh_names, NAMES_SECONDS),
            (self._sweep, SWEEP_SECONDS),
        )
        self._ticks = [asyncio.create_task(_every(seconds, act)) for act, seconds in work]
        self._ticks.append(asyncio.create_task(doors.standing.run()))
        interpreter.settle()

    async def _stop(self) -> None:
        house, doors = self._house, self._house.doors
        for tick in self._ticks:
            tick.cancel()
        await asyncio.gather(*self._ticks, return_exceptions=True)
        await asyncio.to_thread(house.scheduler.stop)
        await doors.runner.stop()
        await asyncio.to_thread(doors.jobs.stop)
        house.layout.job_door.unlink(missing_ok=True)
        await house.http.close()
        await asyncio.to_thread(doors.outbox.stop)
        await asyncio.to_thread(doors.ingest.stop)
        doors.store.close()
        for cloud in doors.clouds.by_name.values():
            cloud.arm.close()
        doors.database.close()

    def _subscribe(self) -> None:
        doors, telling = self._house.doors, self._telling
        held = HeldWrites(doors.database, lambda resource_id: doors.clouds.of_resource(resource_id).arm)
        for kind, handlers in {
            ALERT_RAISED: (doors.triggering.on_alert_raised, telling.alert_raised),
            INCIDENT_CREATED: (doors.triggering.on_incident_created,),
            ROWS_DUE: (self._house.log_rows.on_rows_due,),
            OPENED: (telling.isolation_opened, self._prove),
            VERIFIED: (telling.isolation_verified,),
            RELEASED: (telling.isolation_released,),
            approvals.ASKED: (telling.approval_asked,),
            approvals.ANSWERED: (telling.approval_answered, held.on_answer, doors.leases.on_answer, self._go_on),
        }.items():
            for handler in handlers:
                doors.outbox.subscribe(kind, handler)

    def _prove(self, event: outbox.Event) -> None:
        isolation_id = event.payload["isolation_id"]
        with self._house.doors.database.reading() as session:
            isolation = session.get(Isolation, isolation_id)
        if isolation is not None:
            self._house.doors.clouds.named(isolation.account).verification.on_isolation_opened(event)

    def _go_on(self, event: outbox.Event) -> None:
        """Runs whose call was held look again: last, for by now containment has carried out what was approved."""
        going_on = self._house.doors.runner.approval_answered(event.payload["approval_id"])
        asyncio.run_coroutine_threadsafe(going_on, self._loop).result(timeout=GO_ON_SECONDS)

    def _incident_of(self, run_id: str | None) -> str | None:
        if run_id is None:
            return None
        try:
            return self._house.doors.runs.rows.run(run_id).incident_id
        except NotFound:
            return None

    def _keep_leases(self) -> None:
        self._house.doors.leases.look()

    def _probe_again(self) -> None:
        """Isolations in force are proved again: soon where something is not proved, else once a minute."""
        doors = self._house.doors
        now = doors.clock.now()
        with doors.database.reading() as session:
            rows = list(session.scalars(select(Isolation).where(Isolation.state.in_(OPEN_STATES))))
        for row in rows:
            is_proved = row.new_connections_blocked == row.live_sessions_cut == Finding.VERIFIED
            is_due = row.verified_at is None or (now - row.verified_at).total_seconds() > PROBE_AGAIN_SECONDS[is_proved]
            cloud = doors.clouds.by_name.get(row.account)
            if is_due and cloud is not None and row.state in (State.ISOLATED, State.DRIFTED):
                cloud.verification.verify(row.isolation_id)

    def _refresh_names(self) -> None:
        self._house.machine_names.refresh()

    def _sweep(self) -> None:
        doors = self._house.doors
        self._house.pruning.round()
        with doors.database.transaction() as session:
            sessions.sweep(session, at=doors.clock.now())
            outbox.forget_delivered(session, at=doors.clock.now())
            isolations.prune_probes(session, at=doors.clock.now())


class _Quiet(uvicorn.Server):
    """Signals are ours: the command tells when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: FastAPI, doorway: Doorway) -> uvicorn.Config:
    context = doorway.context
    return uvicorn.Config(
        app,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the address of a caller is the one it calls from
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
        ws="none",
        backlog=2048,
    )


def write_local_file(house: House, doorways: Doorways) -> Path:
    """How the command on this machine finds the server: readable by the owner of the data folder alone."""
    file = house.layout.run / "server.json"
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, LOCAL_FILE_MODE)
    with os.fdopen(descriptor, "w") as out:
        facts = {
            "url": doorways.local_url,
            "token": house.local_token,
            "ca_file": doorways.ca_file and str(doorways.ca_file),
            "pid": os.getpid(),
        }
        json.dump(facts, out)
    draft.replace(file)
    return file


def _job_door(path: Path) -> socket.socket:
    """Jobs of other uids connect to it from inside their walls; the folder above is closed to all others."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    path.chmod(0o666)
    return door


def give_threads(loop: asyncio.AbstractEventLoop) -> None:
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="loop"))


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(act)
        except GuardshipError as error:
            log.warning("server.tick_failed", act=act.__name__, reason=str(error))
        except UNFORESEEN:
            log.exception("server.tick_broke", act=act.__name__)


def on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
