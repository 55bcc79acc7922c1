"""Isolate and release as a playbook asks for them: held calls, answers, and what is known after a crash."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.unit.containment.test_gate import House

from guardship.clock import SystemClock
from guardship.cloud.azure.compute import AzureProvider
from guardship.connectors.containment import ContainmentConnector
from guardship.containment import way_back
from guardship.containment.clouds import Clouds
from guardship.identity import approvals
from guardship.identity.approvals import OwnRequest
from guardship.playbooks.connector import CallContext, CallFailed, CallHeld, ConnectorRequest, ConnectorResponse

CLOCK = SystemClock()
PROTECTED = {"web-1": {"guardship:protected": "true"}}


class Ward:
    """The connector in a house with one cloud."""

    def __init__(self, folder: Path, *, tags: dict[str, dict[str, str]] | None = None) -> None:
        self.house = House(folder, {"web-1": ("open",)}, tags=tags)
        cloud: Any = SimpleNamespace(isolator=self.house.isolator, provider=AzureProvider(self.house.arm))  # as much as it opens
        self.connector = ContainmentConnector(Clouds({"a": cloud}), self.house.database, CLOCK)
        self.context = CallContext(
            run_id="run_1",
            run_number=7,
            playbook_id="play_1",
            playbook_name="Isolate",
            action_key="Isolate",
            attempt=1,
            idempotency_key="ab" * 32,
            deadline=CLOCK.now() + timedelta(hours=2),
            actor="playbook Isolate, run 7",
            incident_id=None,
            alert_id=None,
            connection={},
            person="user ada",
        )

    def call(self, operation: str = "isolate", **known: Any) -> ConnectorResponse:
        return asyncio.run(self.connector.call(_request(operation), replace(self.context, **known)))

    def probe(self, operation: str = "isolate", **known: Any) -> ConnectorResponse | None:
        return asyncio.run(self.connector.probe(_request(operation), replace(self.context, **known)))

    def answer(self, approval_id: str, *, by: str = "user jonas", is_approved: bool = True) -> None:
        with self.house.database.transaction() as session:
            approvals.answer(session, approval_id, is_approved=is_approved, by=by, reason="seen", at=CLOCK.now())
        self.house.outbox.deliver_due()


def _request(operation: str) -> ConnectorRequest:
    return ConnectorRequest(operation, "POST", f"/machines/web-1/{operation}", {"machine": "web-1"}, {}, {}, {})


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


@pytest.fixture
def protected(tmp_path: Path) -> Ward:
    return Ward(tmp_path, tags=PROTECTED)


def test_an_isolation_that_needs_consent_is_held_until_it_expires_and_goes_on_with_the_yes(protected: Ward) -> None:
    with pytest.raises(CallHeld, match="web-1 is a protected machine") as held:
        protected.call()
    assert held.value.until > CLOCK.now() + timedelta(minutes=14)
    with pytest.raises(CallHeld):
        protected.call(approval_id=held.value.approval_id)
    protected.answer(held.value.approval_id)
    answer = protected.call(approval_id=held.value.approval_id)
    assert (answer.status_code, answer.body["state"]) == (200, "isolated")
    assert protected.house.cloud.writes == ["PUT web-1-nic0"], "the write was made once"


def test_a_refusal_fails_the_call_and_says_who_refused(protected: Ward) -> None:
    with pytest.raises(CallHeld) as held:
        protected.call()
    protected.answer(held.value.approval_id, is_approved=False)
    with pytest.raises(CallFailed, match="refused by user jonas") as failed:
        protected.call(approval_id=held.value.approval_id)
    assert (failed.value.code, failed.value.may_retry) == ("NotApproved", False)


def test_an_approval_that_expired_fails_the_call_and_asks_nobody_again(protected: Ward) -> None:
    with pytest.raises(CallHeld) as held:
        protected.call()
    with protected.house.database.transaction() as session:
        approvals.get(session, held.value.approval_id).expires_at = CLOCK.now() - timedelta(seconds=1)
    with pytest.raises(CallFailed, match="expired"):
        protected.call(approval_id=held.value.approval_id)
    with protected.house.database.reading() as session:
        assert approvals.waiting(session, at=CLOCK.now()) == []


def test_who_started_the_run_gives_no_consent_to_what_it_asks(protected: Ward) -> None:
    with pytest.raises(CallHeld) as held:
        protected.call()
    with pytest.raises(OwnRequest):
        protected.answer(held.value.approval_id, by="user ada")
    protected.answer(held.value.approval_id, by="user jonas")


def test_a_probe_is_tried_again_while_the_cloud_is_away(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardship.cloud.arm_retry.Pauses.after_fault", lambda *_: 1000.0)

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    ward.house.arm._client = httpx.Client(transport=httpx.MockTransport(away))
    for ask in (ward.probe, ward.call):
        with pytest.raises(CallFailed) as failed:
            ask()
        assert (failed.value.code, failed.value.may_retry) == ("ArmError", True)


def test_a_probe_knows_the_isolation_and_the_release_of_its_own_run_alone(ward: Ward) -> None:
    assert ward.probe("isolate") is None
    assert ward.probe("release") is None, "it was never isolated"
    ward.call("isolate")
    known = ward.probe("isolate")
    assert known is not None
    assert known.body["state"] == "isolated"
    assert ward.probe("isolate", run_id="run_2") is None
    assert ward.probe("release") is None, "it is still isolated"
    ward.call("release")
    released = ward.probe("release")
    assert released is not None
    assert (released.body["machine_name"], released.body["state"]) == ("web-1", "released")
    assert ward.probe("release", run_id="run_2") is None, "another run released it"


def test_what_a_person_released_while_the_server_was_dead_is_not_isolated_again(ward: Ward) -> None:
    isolation_id = ward.call("isolate").body["isolation_id"]
    ward.house.ledger.outcomes.end(isolation_id, by=way_back.BY_HAND, reason="production first")
    known = ward.probe("isolate")
    assert known is not None
    assert (known.status_code, known.body["isolation_id"], known.body["state"]) == (200, isolation_id, "released")
    assert (known.body["ended_by"], known.body["end_reason"]) == ("offline release", "production first")
    assert ward.probe("isolate", run_id="run_2") is None, "another run may isolate it"


def test_what_a_run_released_itself_it_may_isolate_again(ward: Ward) -> None:
    ward.call("isolate")
    ward.call("release")
    assert ward.probe("isolate") is None
