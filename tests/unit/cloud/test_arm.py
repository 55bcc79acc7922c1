"""Our client against the lab's ARM over TLS, in its simulated plane: what packets do is proved in tests/flows."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.lab.laboratory import Laboratory

from guardship.clock import HeldClock, SystemClock
from guardship.cloud.arm import (
    Actor,
    ActorKind,
    ArmClient,
    ArmEndpoint,
    ArmError,
    ArmResponse,
    ArmUnreachable,
    ForeignHost,
    NetworkWrite,
    Reader,
    Secret,
    Unobserved,
    WriteKind,
)
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.writes import Body
from guardship.errors import NotFound

ACTOR = Actor(ActorKind.JOB, "IsolateVM", job_id="job_1")


class Witness:
    """An observer that remembers; it refuses when told to, or answers itself."""

    def __init__(self) -> None:
        self.seen: list[NetworkWrite] = []
        self.answered: list[int] = []
        self.failures: list[Exception] = []
        self.ends: list[str | None] = []
        self.refusal: Exception | None = None
        self.answer: ArmResponse | None = None
        self.reads = True
        self.read_before: str | None = None

    def before(self, write: NetworkWrite, arm: Reader) -> ArmResponse | None:
        self.seen.append(write)
        if self.reads:
            self.read_before = str(arm.get(str(write.resource_id)).get("etag"))
        if self.refusal:
            raise self.refusal
        return self.answer

    def after(self, write: NetworkWrite, response: ArmResponse, arm: Reader) -> None:
        self.answered.append(response.status)

    def ended(self, write: NetworkWrite, body: Body | None, problem: str | None, arm: Reader) -> None:
        self.ends.append(problem)

    def failed(self, write: NetworkWrite, error: Exception) -> None:
        self.failures.append(error)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("lab"), simulated=True) as lab:
        yield lab


@pytest.fixture
def lab(running: Laboratory) -> Laboratory:
    running.reset()
    return running


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def arm(lab: Laboratory, witness: Witness) -> ArmClient:
    return lab.client(witness)


def interface_path(lab: Laboratory) -> str:
    return f"{lab.network}/networkInterfaces/web-1-nic"


def fault(lab: Laboratory, kind: str, **given: float) -> None:
    mark = lab.mark()
    lab.order(do="fault", kind=kind, **given)
    lab.wait_for("fault", after=mark)


def test_a_write_passes_the_gate_with_everything_the_ledger_needs(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    provider = AzureProvider(arm)
    interface = provider.interfaces_of(provider.machine("WEB-1"))[0]
    provider.assign_group(interface, str(lab.ready["isolated_group"]), actor=ACTOR, idempotency_key="key-1")
    (write,) = witness.seen
    assert (write.kind, write.method, write.actor, write.etag) == (WriteKind.INTERFACE, "PUT", ACTOR, interface.etag)
    assert write.resource_id == interface.resource_id
    assert write.idempotency_key == "key-1"
    assert write.body
    assert witness.read_before == interface.etag
    assert witness.answered == [200]


def test_reads_and_probes_do_not_pass_the_gate(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    arm.get(interface_path(lab))
    arm.call("POST", f"{interface_path(lab)}/effectiveNetworkSecurityGroups", actor=ACTOR)
    arm.call("PUT", f"{lab.network}/publicIPAddresses/p", actor=ACTOR, body={"location": "westeurope"})
    assert witness.seen == []


def test_a_refused_write_is_not_sent(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    before = arm.get(interface_path(lab))
    witness.refusal = ArmError("Held", 423, "a person must approve")
    with pytest.raises(ArmError, match="approve"):
        arm.put(before, actor=ACTOR)
    assert arm.get(interface_path(lab))["etag"] == before["etag"]


def test_an_answer_of_the_observer_stands_for_arms(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    before = arm.get(interface_path(lab))
    witness.answer = ArmResponse(200, {}, {"id": before["id"], "properties": {"provisioningState": "Succeeded"}})
    assert arm.put(before, actor=ACTOR)["id"] == before["id"]
    assert arm.get(interface_path(lab))["etag"] == before["etag"]


def test_a_stale_etag_is_told_as_412(arm: ArmClient, lab: Laboratory) -> None:
    body = arm.get(interface_path(lab))
    arm.put(body, actor=ACTOR)
    assert arm.call("PUT", interface_path(lab), actor=ACTOR, body=body, etag=body["etag"]).status == 412


def test_a_throttled_write_is_sent_again_and_observed_once(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    body = arm.get(interface_path(lab))
    witness.reads = False
    fault(lab, "throttle", count=2, retry_after=0)
    assert arm.call("PUT", interface_path(lab), actor=ACTOR, body=body).status == 200
    assert len(witness.seen) == 1


def test_a_failed_operation_raises_what_it_says(arm: ArmClient, lab: Laboratory) -> None:
    before = arm.get(interface_path(lab))
    fault(lab, "fail_operation", count=1)
    with pytest.raises(ArmError, match="InternalServerError"):
        arm.put(before, actor=ACTOR)
    assert arm.get(interface_path(lab))["etag"] == before["etag"]


def test_the_observer_is_told_the_end_of_what_arm_had_taken(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    before = arm.get(interface_path(lab))
    response = arm.call("PUT", interface_path(lab), actor=ACTOR, body=before)
    assert (response.write, witness.ends) == (witness.seen[0], []), "taken is not done"
    arm.wait(response)
    assert witness.ends == [None]
    fault(lab, "fail_operation", count=1)
    with pytest.raises(ArmError):
        arm.put(arm.get(interface_path(lab)), actor=ACTOR)
    assert str(witness.ends[1]).startswith("InternalServerError")


def test_an_operation_that_takes_its_time_is_waited_for(arm: ArmClient, lab: Laboratory) -> None:
    fault(lab, "operation_seconds", seconds=0.3)
    response = arm.call("PUT", interface_path(lab), actor=ACTOR, body=arm.get(interface_path(lab)))
    assert response.body["properties"]["provisioningState"] == "Updating"
    assert arm.get(interface_path(lab))["properties"]["provisioningState"] == "Updating"
    assert arm.wait(response)["properties"]["provisioningState"] == "Succeeded"
    fault(lab, "operation_seconds", seconds=0)


def test_a_write_whose_answer_was_lost_counts_as_done_when_it_was(arm: ArmClient, lab: Laboratory) -> None:
    provider = AzureProvider(arm)
    interface = provider.interfaces_of(provider.machine("web-1"))[0]
    fault(lab, "lose_answer", count=1)
    after = provider.assign_group(interface, str(lab.ready["isolated_group"]), actor=ACTOR)
    assert after["properties"]["networkSecurityGroup"]["id"] == lab.ready["isolated_group"]


def test_arm_being_away_is_survived(arm: ArmClient, lab: Laboratory, witness: Witness) -> None:
    body = arm.get(interface_path(lab))
    witness.reads = False
    mark = lab.mark()
    lab.order(do="down", seconds=0.8)
    lab.wait_for("arm_down", after=mark)
    assert arm.call("PUT", interface_path(lab), actor=ACTOR, body=body).status == 200
    assert len(witness.seen) == 1
    lab.wait_for("arm_up", after=mark)


def test_a_write_that_never_arrives_is_told_to_the_observer(lab: Laboratory, witness: Witness) -> None:
    closed = ArmEndpoint("https://127.0.0.1:9", "t", "s", "c", Secret("x"), lab.endpoint().ca_file)
    client = ArmClient(closed, witness, HeldClock(datetime(2026, 11, 24, tzinfo=UTC)), sleep=lambda _: None)
    witness.reads = False
    with pytest.raises(ArmUnreachable):
        client.call("PUT", interface_path(lab), actor=ACTOR, body={}, deadline_seconds=-1)
    assert isinstance(witness.failures[0], ArmUnreachable)
    client.close()


def test_a_token_of_a_restarted_arm_is_asked_for_again(tmp_path: Path) -> None:
    application = {"client_id": "app", "client_secret": "secret"}
    with Laboratory(tmp_path, simulated=True, **application) as first:
        client = ArmClient(first.endpoint(), Unobserved(), SystemClock())
        client.get(interface_path(first))
        arm_port = first.ready["arm_port"]
    with Laboratory(tmp_path, simulated=True, arm_port=arm_port, **application) as second:
        assert client.get(interface_path(second))["name"] == "web-1-nic"
    client.close()


def test_absolute_addresses_of_this_arm_are_taken_and_others_refused(arm: ArmClient, lab: Laboratory) -> None:
    address = f"https://management.azure.com/{interface_path(lab)}?api-version=2019-11-01"
    assert arm.call("get", address, actor=ACTOR).body["name"] == "web-1-nic"
    with pytest.raises(ForeignHost):
        arm.call("GET", "https://attacker.invalid/subscriptions", actor=ACTOR)
    with pytest.raises(ForeignHost):
        arm.call("GET", f"http://127.0.0.1:{lab.ready['arm_port']}/subscriptions", actor=ACTOR)


def test_a_machine_that_is_not_there_is_not_found(arm: ArmClient) -> None:
    with pytest.raises(NotFound):
        AzureProvider(arm).machine("web-9")


def test_lists_follow_their_pages() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        page = int(request.url.params.get("$skiptoken", "0"))
        following = f"https://arm.test/subscriptions/s/things?api-version=1&$skiptoken={page + 1}"
        return httpx.Response(200, json={"value": [{"n": page}], **({"nextLink": following} if page < 2 else {})})

    endpoint = ArmEndpoint("https://arm.test", "t", "s", "c", Secret("x"))
    client = ArmClient(endpoint, Unobserved(), HeldClock(datetime(2026, 11, 24, tzinfo=UTC)), transport=httpx.MockTransport(answer))
    assert client.list("/subscriptions/s/things") == [{"n": 0}, {"n": 1}, {"n": 2}]
    client.close()


@pytest.mark.parametrize(("headers", "slept"), [({"Retry-After": "7"}, [7.0] * 4), ({}, [0.75, 1.5, 3.0, 6.0])])
def test_a_server_that_stays_busy_is_asked_five_times_and_waited_for_as_it_asks(headers: dict[str, str], slept: list[float]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        return httpx.Response(429, headers=headers, json={"error": {"code": "TooManyRequests", "message": "later"}})

    clock, pauses = HeldClock(datetime(2026, 11, 24, tzinfo=UTC)), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(timedelta(seconds=seconds))

    endpoint = ArmEndpoint("https://arm.test", "t", "s", "c", Secret("x"))
    client = ArmClient(endpoint, Unobserved(), clock, transport=httpx.MockTransport(answer), sleep=sleep, random=lambda: 0.5)
    assert client.call("GET", "/subscriptions/s", actor=ACTOR).status == 429
    assert pauses == slept
    client.close()


class Gateway:
    """An ARM behind a gateway that answers 502 for the first PUT, which was carried out, and `following` for the next; after 401 none signs in."""

    def __init__(self, following: int) -> None:
        self.following = following
        self.interface: dict[str, Any] = {"id": "/x", "etag": "1", "properties": {"networkSecurityGroup": None}}
        self.puts = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(403 if self.puts else 200, json={"access_token": "t", "expires_in": 3600})
        if request.method == "GET":
            return httpx.Response(200, json=self.interface)
        self.puts += 1
        if self.puts == 1:
            self.interface = json.loads(request.content) | {"etag": "2"}
            return httpx.Response(502)
        return httpx.Response(self.following, json={"error": {"code": "No", "message": "no"}})


def put_behind(gateway: Gateway, witness: Witness) -> ArmResponse:
    endpoint = ArmEndpoint("https://arm.test", "t", "s", "c", Secret("x"))
    clock = HeldClock(datetime(2026, 11, 24, tzinfo=UTC))
    witness.reads = False
    client = ArmClient(endpoint, witness, clock, transport=httpx.MockTransport(gateway), sleep=lambda _: None)
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n"
    body = {"id": "/x", "etag": "1", "properties": {"networkSecurityGroup": {"id": "/closed"}}}
    try:
        return client.call("PUT", path, actor=ACTOR, body=body, etag="1")
    finally:
        client.close()


def test_a_write_that_a_gateway_gave_up_on_counts_as_done_when_it_was(witness: Witness) -> None:
    response = put_behind(Gateway(412), witness)
    assert (response.status, response.body["etag"], response.is_doubtful) == (200, "2", False)


@pytest.mark.parametrize("status", [403, 409])
def test_what_is_refused_after_a_gateway_gave_up_is_doubtful(witness: Witness, status: int) -> None:
    response = put_behind(Gateway(status), witness)
    assert (response.status, response.is_doubtful) == (status, True)


def test_an_end_of_the_sign_in_leaves_an_earlier_attempt_unknown(witness: Witness) -> None:
    with pytest.raises(ArmUnreachable, match="an earlier attempt"):
        put_behind(Gateway(401), witness)
    assert isinstance(witness.failures[0], ArmUnreachable)


def test_many_threads_share_one_client(arm: ArmClient, lab: Laboratory) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(arm.get(interface_path(lab))["name"])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["web-1-nic"] * 12
