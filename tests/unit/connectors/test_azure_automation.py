import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.connectors.runbook_jobs import RunbookJobs

from guardship.connectors.azure_automation import AzureAutomation
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse

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
