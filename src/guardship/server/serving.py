"""The server's process: its pipe to the command, its doorways, its house, and who lives in it."""

import asyncio
import fcntl
import os
import sys
from pathlib import Path
from typing import IO, Any

import httpx

from guardship.clock import SystemClock
from guardship.containment.surroundings import Body
from guardship.errors import Fault, GuardshipError
from guardship.identity import sessions, users
from guardship.identity.roles import Role
from guardship.migrations.upgrading import upgrade
from guardship.sandbox.new_root import die_with_parent
from guardship.server.building import House, build
from guardship.server.demo import DemoContent
from guardship.server.doorways import open_doorways
from guardship.server.living import UNFORESEEN, Living, on_signals, write_local_file
from guardship.server.pipe import Message, Pipe
from guardship.settings import Settings
from guardship.storage.database import place_of
from guardship.storage.layout import Layout
from guardship.telemetry import configure, get_log

FIRST_USER = "admin"

log = get_log("server")


class AlreadyRunning(GuardshipError):
    code = "server.already_running"
    fault = Fault.CONFLICT


class Serving:
    """The server between its pipe and its house."""

    def __init__(self, settings: Settings, pipe: Pipe) -> None:
        self._pipe = pipe
        self._settings = settings
        self._layout = Layout(settings.home)
        self._layout.make()
        self._lock = take_lock(self._layout.run / "lock", settings.home)
        place = place_of(settings.database_url.get_secret_value(), self._layout.database)
        upgrade(place)
        self._claim = claim(place)
        self._doorways = open_doorways(settings, self._layout.certificates)
        self._house: House = build(settings, self._layout, SystemClock(), url=self._doorways.url, start_demo=self._ask_for_demo)
        self._demo = DemoContent(self._house.doors)

    async def run(self) -> None:
        living = Living(self._house)
        loop = asyncio.get_running_loop()
        on_signals(living.stop_soon)

        def stop() -> None:
            loop.call_soon_threadsafe(living.stop_soon)

        self._pipe.listen(lambda message: self._take(message, loop, living), stop)
        local = write_local_file(self._house, self._doorways)
        try:
            await living.live(self._doorways, ready=self._say_ready)
        finally:
            local.unlink(missing_ok=True)

    def _say_ready(self) -> None:
        doors = self._house.doors
        link = first_link(self._house)
        self._pipe.tell("ready", url=doors.url, local_url=self._doorways.local_url, sign_in_link=f"{doors.url}/sign-in?link={link}")
        log.info("server.ready", url=doors.url)

    def _ask_for_demo(self) -> bool:
        self._pipe.tell("start_demo")
        return True

    def _take(self, message: Message, loop: asyncio.AbstractEventLoop, living: Living) -> None:
        """In the pipe's thread."""
        try:
            match message.get("do"):
                case "stop":
                    loop.call_soon_threadsafe(living.stop_soon)
                case "prepare_lab":
                    self._pipe.tell("lab_prepared", tokens=self._demo.issue_tokens())
                case "connect_lab":
                    self._connect_lab(message["lab"])
        except GuardshipError as error:
            log.warning("server.order_failed", order=message.get("do"), reason=str(error))
            self._pipe.tell("failed", why=str(error), hint=error.hint)
        except (*UNFORESEEN, httpx.HTTPError) as error:  # this thread has to hear the next order, the one to stop before all
            log.exception("server.order_broke", order=message.get("do"))
            self._pipe.tell("failed", why=f"{type(error).__name__}: {error}", hint=None)

    def _connect_lab(self, ready: Body) -> None:
        self._house.connecting.connect_lab(ready)
        self._house.machine_names.refresh()
        self._demo.install()
        self._pipe.tell("lab_connected")


def first_link(house: House) -> str:
    """A one-time link for the first user, who is made when there is none."""
    doors = house.doors
    at = doors.clock.now()
    with doors.database.transaction() as session:
        try:
            user = users.user_named(session, FIRST_USER)
        except GuardshipError:
            user = users.create_user(session, FIRST_USER, role=Role.ADMIN, password=None, at=at, display_name="Admin")
        return sessions.make_link(session, user, at=at)


def take_lock(file: Path, home: Path) -> IO[str]:
    lock = file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AlreadyRunning(
            f"a server is already running on {home}", hint="use that one, stop it, or name another data folder in GUARDSHIP_HOME"
        ) from error
    return lock


def claim(place: Path | str) -> object:
    """What keeps a second server off a database that has none of our locks in its folder.

    Jobs, schedules and the outbox belong to one server; only the runs of playbooks are shared by leases.
    """
    if isinstance(place, Path):
        return None
    from guardship.storage.postgres import PostgresServer  # late: only who has a server loads its driver

    server = PostgresServer(place)
    held = server.hold()
    if held is None:
        raise AlreadyRunning(f"a server is already running on {server}", hint="use that one, stop it, or name another database")
    return held


def serve() -> None:
    die_with_parent(0)
    pipe = Pipe()
    try:
        settings = Settings()
        configure(level=settings.log_level)
        serving = Serving(settings, pipe)
    except (GuardshipError, ValueError) as error:
        hint: Any = getattr(error, "hint", None)
        pipe.tell("failed", why=getattr(error, "message", str(error)), hint=hint)
        sys.exit(1)
    asyncio.run(serving.run())
    os._exit(0)  # everything is stopped in order; a thread that still waits for a cloud holds nothing up
