"""The jobs' own door: what it answers, and that what it refuses is written down too."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from guardship.api.job_api import MOST_BODY_BYTES, create_app
from guardship.automation import assets
from guardship.automation.assets import AssetKind
from guardship.automation.jobs import StreamKind
from guardship.automation.workers import RunningJob, StreamsFull
from guardship.clock import SystemClock
from guardship.cloud.arm import Actor, ArmResponse
from guardship.errors import Fault, GuardshipError
from guardship.identity import audit
from guardship.identity.audit import AuditEntry
from guardship.storage.database import Database
from guardship.storage.vault import Vault

CLOCK = SystemClock()
JOB = RunningJob("job_1", "j1", "IsolateVM", 1, "run_1", "run 1", "user ada")
VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web-1"


class Held(GuardshipError):
    code = "containment.write_held"
    fault = Fault.CONFLICT
    approval_id = "appr_1"


@dataclass
class Arm:
    """Answers with what it is given, or raises it."""

    answer: ArmResponse | GuardshipError = field(default_factory=lambda: ArmResponse(status=204, headers={}, body=None))
    actors: list[Actor] = field(default_factory=list)

    def call(self, *_: Any, actor: Actor, **__: Any) -> ArmResponse:
        self.actors.append(actor)
        if isinstance(self.answer, GuardshipError):
            raise self.answer
        return self.answer


@dataclass
class Cloud:
    arm: Arm = field(default_factory=Arm)
    subscription_id: str = "s"
    hosts: tuple[str, ...] = ("management.azure.com",)


@dataclass
class Clouds:
    by_name: dict[str, Cloud]


class OneJob:
    def running_job(self, token: str) -> RunningJob | None:
        return JOB if token == "t" else None

    def write_stream(self, job: RunningJob, kind: StreamKind, text: str) -> None:
        raise StreamsFull(job.name)


@dataclass
class Rooms:
    database: Database
    clouds: Clouds
    jobs: OneJob = field(default_factory=OneJob)
    vault: Vault = field(default_factory=lambda: Vault(b"k" * 32))
    clock: SystemClock = CLOCK

    @property
    def arm(self) -> Arm:
        return self.clouds.by_name["lab"].arm

    def audited(self) -> list[AuditEntry]:
        with self.database.reading() as session:
            return audit.entries(session)


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    database = Database(tmp_path / "g.db")
    database.create_tables()
    rooms = Rooms(database, Clouds({"lab": Cloud()}))
    with database.transaction() as session:
        fields = {"SubscriptionId": "s"}
        assets.put_asset(session, AssetKind.CONNECTION, "A", fields=fields, secrets={}, vault=rooms.vault, by="mara", at=CLOCK.now())
    return rooms


class Door:
    """The application, asked without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def ask(self, method: str, path: str, body: Any = None, *, content: bytes | None = None) -> httpx.Response:
        return asyncio.run(self._ask(method, path, body, content))

    async def _ask(self, method: str, path: str, body: Any, content: bytes | None) -> httpx.Response:
        headers = {"Authorization": "Bearer t", "X-Connection": "A"}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://guardship", headers=headers) as client:
            return await client.request(method, path, json=body, content=content)


@pytest.fixture
def door(rooms: Rooms) -> Door:
    return Door(create_app(rooms, lambda _: None))  # type: ignore[arg-type]  # as much of the doors as it opens


def test_an_answer_of_arm_without_a_body_comes_without_one(door: Door) -> None:
    answer = door.ask("DELETE", f"/arm{VM}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_jobs_write_names_the_person_behind_the_job(rooms: Rooms, door: Door) -> None:
    door.ask("PUT", f"/arm{VM}", {})
    assert [(actor.who, actor.person) for actor in rooms.arm.actors] == [("job IsolateVM", "user ada")]


def test_a_write_that_waits_for_a_person_is_written_down(rooms: Rooms, door: Door) -> None:
    rooms.arm.answer = Held("a person has to approve")
    assert door.ask("PUT", f"/arm{VM}", {}).status_code == 409
    (entry,) = rooms.audited()
    assert (entry.who, entry.act, entry.subject, entry.detail["approval_id"]) == ("job IsolateVM", "arm.held", VM, "appr_1")


def test_a_write_that_was_refused_is_written_down(rooms: Rooms, door: Door) -> None:
    rooms.arm.answer = GuardshipError("no")
    door.ask("DELETE", f"/arm{VM}")
    (entry,) = rooms.audited()
    assert (entry.act, entry.detail["method"], entry.detail["why"]) == ("arm.refused", "DELETE", "no")


def test_a_host_that_the_connection_does_not_reach_is_refused_and_written_down(rooms: Rooms, door: Door) -> None:
    assert door.ask("GET", "/arm/https://evil.example/x").status_code == 403
    (entry,) = rooms.audited()
    assert (entry.act, entry.subject, entry.detail["code"]) == ("arm.refused", "https://evil.example/x", "job_api.host_not_allowed")


def test_a_job_that_wrote_too_much_is_told(door: Door) -> None:
    answer = door.ask("POST", "/streams", {"stream": "Verbose", "text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (413, "automation.streams_full")


@pytest.mark.parametrize("path", ["/streams", f"/arm{VM}"])
def test_a_body_that_is_not_json_is_named(door: Door, path: str) -> None:
    answer = door.ask("POST", path, content=b"{not json")
    assert (answer.status_code, answer.json()["code"]) == (400, "jobs.bad_body")


def test_a_body_beyond_all_use_is_not_read_to_its_end(door: Door) -> None:
    assert door.ask("POST", "/streams", content=b"x" * (MOST_BODY_BYTES + 1)).status_code == 413
