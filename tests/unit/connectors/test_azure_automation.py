import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.connectors.runbook_jobs import RunbookJobs

from guardship.connectors.azure_automation import AzureAutomation
from guardship.playbooks.connector import CallContext, CallFailed, ConnectorRequest, ConnectorResponse
from guardship.storage.database import DatabaseUnavailable

SEGMENTS = {"subscription": "s", "group": "AzureBootcamp", "account": "guardship"}


def context(key: str = "ab" * 32) -> CallContext:
    return CallContext(
        run_id="run_1",
        run_number=7,
        playbook_id="plbk_1",
        playbook_name="isolate",
        action_key="Create_job",
        attempt=1,
        idempotency_key=key,
        deadline=datetime.now(UTC) + timedelta(minutes=1),
        actor="playbook isolate, run 7",
        incident_id=None,
        alert_id=None,
        connection={},
        person="user ada",
    )


def request(operation: str = "create_job", body: Any = None, *, job: str = "", **queries: Any) -> ConnectorRequest:
    return ConnectorRequest(operation, "PUT", "/", {**SEGMENTS, "job": job}, queries, {}, body)


ISOLATE = {"properties": {"parameters": {"VMName": "web-1"}}}


def create(jobs: RunbookJobs, body: Any = ISOLATE, **queries: Any) -> ConnectorResponse:
    return asyncio.run(AzureAutomation(jobs).call(request("create_job", body, **queries), context()))


def test_a_job_gets_the_parameters_of_the_playbook_and_a_name_made_of_the_key() -> None:
    jobs = RunbookJobs()
    answer = create(jobs, runbookName="IsolateVM")
    assert answer.status_code == 201
    assert list(jobs.by_name) == ["abababab-abab-abab-abab-abababababab"]
    job = jobs.by_name["abababab-abab-abab-abab-abababababab"]
    assert (job.runbook, job.parameters, job.actor) == ("IsolateVM", {"VMName": "web-1"}, "playbook isolate, run 7")
    assert job.person == "user ada"
    assert answer.body["properties"]["status"] == "Running"


def test_with_wait_the_answer_comes_when_the_job_has_ended() -> None:
    assert create(RunbookJobs(), runbookName="IsolateVM", wait=True).body["properties"]["status"] == "Completed"


def test_a_job_that_failed_while_it_was_waited_for_fails_the_action_and_says_why() -> None:
    answer = create(RunbookJobs(ends_as="Failed"), runbookName="IsolateVM", wait="true")
    assert answer.status_code == 424
    assert answer.body["error"]["message"] == "the job ended Failed: there is no VM called web-9"


def test_the_same_call_again_finds_the_same_job() -> None:
    jobs = RunbookJobs()
    first, second = (create(jobs, runbookName="IsolateVM").body["properties"]["jobId"] for _ in range(2))
    assert first == second


def test_a_probe_finds_the_job_that_was_made_and_waits_for_it() -> None:
    jobs = RunbookJobs()
    connector = AzureAutomation(jobs)
    wanted = request("create_job", ISOLATE, runbookName="IsolateVM", wait=True)
    assert asyncio.run(connector.probe(wanted, context())) is None
    create(jobs, runbookName="IsolateVM")
    found = asyncio.run(connector.probe(wanted, context()))
    assert found is not None
    assert found.body["properties"]["status"] == "Completed"


def test_the_output_of_a_job_is_text_and_an_unknown_job_is_not_found() -> None:
    jobs = RunbookJobs()
    create(jobs, runbookName="IsolateVM")
    connector = AzureAutomation(jobs)
    name = next(iter(jobs.by_name))
    assert asyncio.run(connector.call(request("get_output", job=name), context())).body == "output of job_1"
    assert asyncio.run(connector.call(request("get_job", job="none"), context())).status_code == 404


class AwayJobs(RunbookJobs):
    def create(self, *_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("the database is locked")

    def get(self, name: str) -> Any:
        raise DatabaseUnavailable("the database is locked")


def test_a_database_that_is_away_is_tried_again_and_not_taken_for_a_bad_request() -> None:
    connector, wanted = AzureAutomation(AwayJobs()), request("create_job", ISOLATE, runbookName="IsolateVM")
    for call in (connector.call, connector.probe):
        with pytest.raises(CallFailed) as failed:
            asyncio.run(call(wanted, context()))
        assert failed.value.may_retry


def test_a_call_without_a_runbook_says_so_by_its_own_code() -> None:
    with pytest.raises(CallFailed) as failed:
        create(RunbookJobs())
    assert failed.value.code == "MissingRunbookName"
