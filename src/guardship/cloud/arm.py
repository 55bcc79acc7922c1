"""The one door to Azure Resource Manager, real or the lab's: sign-in, retries, etags, long-running operations, and the gate.

Everything leaves through `ArmClient._send`. A write that changes an interface's group or subnet, a subnet's group or a group's rules
passes the observer there once, however often it is sent, whoever asked for it. An answer that only says that ARM has taken the write
is not its end: `wait` tells the observer that.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import random as any_random
from typing import Any

import httpx

from guardship.clock import Clock
from guardship.cloud.arm_endpoint import ArmEndpoint as ArmEndpoint
from guardship.cloud.arm_endpoint import ArmError as ArmError
from guardship.cloud.arm_endpoint import ArmToken, api_version_of
from guardship.cloud.arm_endpoint import ArmUnreachable as ArmUnreachable
from guardship.cloud.arm_endpoint import ForeignHost as ForeignHost
from guardship.cloud.arm_endpoint import Secret as Secret
from guardship.cloud.arm_retry import MOST_TRIES, RETRIED_STATUSES, Pauses, retry_after
from guardship.cloud.writes import Actor as Actor
from guardship.cloud.writes import ActorKind as ActorKind
from guardship.cloud.writes import ArmResponse as ArmResponse
from guardship.cloud.writes import Body, clean_segments, network_write_of
from guardship.cloud.writes import NetworkWrite as NetworkWrite
from guardship.cloud.writes import Reader as Reader
from guardship.cloud.writes import Unobserved as Unobserved
from guardship.cloud.writes import WriteKind as WriteKind
from guardship.cloud.writes import WriteObserver as WriteObserver
from guardship.ids import new_id
from guardship.telemetry import get_log

FAULT_DEADLINE_SECONDS = 60.0
OPERATION_DEADLINE_SECONDS = 300.0
_POLL_SECONDS = 0.05
_LONGEST_POLL_SECONDS = 5.0
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_UNDER_WAY = {"updating", "creating", "deleting", "inprogress", "accepted", "running"}
_SYSTEM = Actor(ActorKind.SYSTEM, "guardship")
_SAFE_TO_REPEAT = {"GET", "HEAD", "PUT", "DELETE", "PATCH"}
_log = get_log("cloud.arm")


class OperationFailed(ArmError):
    """What a write began, and ARM had taken, has failed."""

    code = "cloud.operation_failed"


@dataclass(frozen=True, slots=True)
class _Order:
    method: str
    path: str
    query: dict[str, str]
    body: object
    etag: str | None


class ArmClient:
    """Thread-safe and synchronous; asyncio callers use a thread."""

    def __init__(
        self,
        endpoint: ArmEndpoint,
        observer: WriteObserver,
        clock: Clock,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = any_random,
    ) -> None:
        self.endpoint = endpoint
        self._observer = observer
        self._clock = clock
        self._sleep = sleep
        self._pauses = Pauses(random)
        verify = endpoint.trust() if transport is None else True
        self._client = httpx.Client(transport=transport, verify=verify, timeout=_TIMEOUT, trust_env=False, follow_redirects=False)
        self._token = ArmToken(endpoint, self._client, clock)

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        actor: Actor,
        body: object = None,
        etag: str | None = None,
        api_version: str | None = None,
        idempotency_key: str | None = None,
        deadline_seconds: float = FAULT_DEADLINE_SECONDS,
    ) -> ArmResponse:
        """Any status, as it is after the retries; raises ArmUnreachable when nobody answers until the deadline."""
        plain, query = self.endpoint.resolve(path)
        clean = "/" + "/".join(clean_segments(plain))
        known = next((value for name, value in query.items() if name.lower() == "api-version"), None)
        version = api_version or known or api_version_of(clean)
        query = {name: value for name, value in query.items() if name.lower() != "api-version"} | {"api-version": version}
        order = _Order(method.upper(), clean, query, body, etag)
        return self._send(order, actor, idempotency_key, self._clock.monotonic() + deadline_seconds)

    def get(self, path: str) -> Body:
        found = _checked(self.call("GET", path, actor=_SYSTEM)).body
        if not isinstance(found, dict):
            raise ArmError("UnexpectedAnswer", 200, f"{path} is not an object")
        return found

    def list(self, path: str) -> list[Body]:
        """All pages of a collection."""
        found: list[Body] = []
        address: str | None = path
        while address:
            page = self.get(address)
            found.extend(page.get("value") or ())
            address = page.get("nextLink")
        return found

    def put(self, resource: Mapping[str, Any], *, actor: Actor, etag: str | None = None, idempotency_key: str | None = None) -> Body:
        """Write a whole resource to its own id and wait until ARM is done with it."""
        path = str(resource["id"])
        response = self.call("PUT", path, actor=actor, body=dict(resource), etag=etag, idempotency_key=idempotency_key)
        return self.wait(response)

    def wait(self, response: ArmResponse, *, deadline_seconds: float = OPERATION_DEADLINE_SECONDS) -> Body:
        """The resource once the operation that `response` began is over; raises what the operation says went wrong."""
        _checked(response)
        if (write := response.write) is None:
            return self._end_of(response, deadline_seconds)
        try:
            body = self._end_of(response, deadline_seconds)
        except OperationFailed as error:
            self._observer.ended(write, None, str(error), _Reads(self))
            raise
        self._observer.ended(write, None if write.method == "DELETE" else body, None, _Reads(self))
        return body

    def _end_of(self, response: ArmResponse, deadline_seconds: float) -> Body:
        deadline = self._clock.monotonic() + deadline_seconds
        own_path = _own_path(response)
        poll = _poll_of(response)
        if poll is None and (own_path is None or not is_under_way(response.body)):
            return response.body if isinstance(response.body, dict) else {}
        pause = retry_after(response.headers) or 0.0
        tries = 0
        while True:
            self._sleep(pause)
            answer = _checked(self.call("GET", poll or str(own_path), actor=_SYSTEM))
            if not _is_unfinished(answer):
                break
            if self._clock.monotonic() >= deadline:
                raise ArmUnreachable(f"the operation was not done within {deadline_seconds:g} s")
            tries += 1
            pause = retry_after(answer.headers) or min(_POLL_SECONDS * 1.5**tries, _LONGEST_POLL_SECONDS)
        if own_path and poll:
            return self.get(str(own_path))
        return answer.body if isinstance(answer.body, dict) else {}

    def _send(self, order: _Order, actor: Actor, idempotency_key: str | None, deadline: float) -> ArmResponse:
        """The only function that sends; the gate stands here."""
        found = network_write_of(order.method, order.path, order.body)
        if found is None:
            return self._attempts(order, deadline)
        kind, target = found
        content = order.body if isinstance(order.body, dict) else None
        version = order.query["api-version"]
        write = NetworkWrite(new_id("write"), kind, order.method, target, version, content, order.etag, actor, idempotency_key)
        reader = _Reads(self)
        if (answered := self._observer.before(write, reader)) is not None:
            return answered
        try:
            response = self._attempts(order, deadline)
        except ArmError as error:
            self._observer.failed(write, error)
            raise
        if response.status < 300 and (_poll_of(response) is not None or is_under_way(response.body)):
            response = replace(response, write=write)
        self._observer.after(write, response, reader)
        return response

    def _attempts(self, order: _Order, deadline: float) -> ArmResponse:
        tries = faults = 0
        is_doubtful = False  # an earlier attempt may have been carried out
        has_signed_in_again = False
        while True:
            bearer = ""
            try:
                bearer = self._token.header()
                response = _read(self._client.send(self._request(order, bearer)))
            except ArmError as error:
                if is_doubtful:
                    raise ArmUnreachable(f"what became of an earlier attempt is not known: {error}") from error
                raise
            except httpx.TransportError as error:
                was_sent = bool(bearer) and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                self._wait_for_host(error, faults, deadline, may_repeat=not was_sent or order.method in _SAFE_TO_REPEAT)
                is_doubtful = is_doubtful or was_sent
                faults += 1
                continue
            if response.status == 401 and not has_signed_in_again:
                self._token.forget(bearer)
                has_signed_in_again = True
                continue
            if response.status == 412 and is_doubtful:
                return self._after_doubt(order, response, deadline)
            tries += 1
            pause = self._pauses.after_status(tries - 1, response.headers)
            is_last = response.status not in RETRIED_STATUSES or tries >= MOST_TRIES
            if is_last or self._clock.monotonic() + pause > deadline:
                return replace(response, is_doubtful=is_doubtful and response.status >= 400)
            is_doubtful = is_doubtful or response.status >= 500  # a gateway may answer so for what lies behind it and was done
            _log.info("arm.retry", status=response.status, path=order.path, pause_seconds=pause)
            self._sleep(pause)

    def _request(self, order: _Order, bearer: str) -> httpx.Request:
        headers = {"Authorization": bearer, "Accept": "application/json"}
        if order.etag:
            headers["If-Match"] = order.etag
        address = self.endpoint.base_url.rstrip("/") + order.path
        content = None if order.body is None else order.body
        if content is None:
            return self._client.build_request(order.method, address, params=order.query, headers=headers)
        return self._client.build_request(order.method, address, params=order.query, headers=headers, json=content)

    def _wait_for_host(self, error: httpx.TransportError, faults: int, deadline: float, *, may_repeat: bool) -> None:
        pause = self._pauses.after_fault(faults)
        if not may_repeat or self._clock.monotonic() + pause > deadline:
            raise ArmUnreachable(f"{self.endpoint.base_url} does not answer: {str(error) or type(error).__name__}") from error
        _log.info("arm.unreachable", base_url=self.endpoint.base_url, faults=faults + 1, pause_seconds=pause)
        self._sleep(pause)

    def _after_doubt(self, order: _Order, refused: ArmResponse, deadline: float) -> ArmResponse:
        """A PUT whose answer was lost and whose etag is stale now: it was carried out if the resource is what we asked for."""
        if order.method != "PUT":
            return replace(refused, is_doubtful=True)
        current = self._attempts(_Order("GET", order.path, order.query, None, None), deadline)
        return current if current.status == 200 and holds(current.body, order.body) else replace(refused, is_doubtful=True)


class _Reads:
    """What an observer may do: read."""

    def __init__(self, client: ArmClient) -> None:
        self._client = client

    def get(self, path: str) -> Body:
        return self._client.get(path)

    def list(self, path: str) -> list[Body]:
        return self._client.list(path)


_SERVER_FIELDS = {"etag", "provisioningState", "resourceGuid", "type"}


def holds(current: object, asked: object) -> bool:
    """Whether a resource has everything that was asked for; what only the server writes does not count."""
    if isinstance(asked, dict) and isinstance(current, dict):
        return all(holds(current.get(name), value) for name, value in asked.items() if name not in _SERVER_FIELDS)
    if isinstance(asked, list) and isinstance(current, list):
        return len(asked) == len(current) and all(holds(left, right) for left, right in zip(current, asked, strict=True))
    if isinstance(asked, str) and isinstance(current, str):
        return asked.lower() == current.lower()
    return asked == current or (not asked and not current)


def _read(response: httpx.Response) -> ArmResponse:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not response.content:
        return ArmResponse(response.status_code, headers, None)
    if "json" not in headers.get("content-type", "json"):
        return ArmResponse(response.status_code, headers, response.text)
    try:
        return ArmResponse(response.status_code, headers, response.json())
    except ValueError:
        return ArmResponse(response.status_code, headers, response.text)


def _checked(response: ArmResponse) -> ArmResponse:
    if response.status < 400:
        return response
    error = response.body.get("error") if isinstance(response.body, dict) else None
    if isinstance(error, dict):
        raise ArmError(str(error.get("code", "")), response.status, str(error.get("message", "")))
    raise ArmError("", response.status, f"ARM answered {response.status}")


def _own_path(response: ArmResponse) -> str | None:
    """Where the resource lies that a response is about, if it is one that will be there."""
    if isinstance(response.body, dict) and response.body.get("id"):
        return str(response.body["id"])
    return str(response.write.resource_id) if response.write is not None and response.write.method != "DELETE" else None


def _poll_of(response: ArmResponse) -> str | None:
    return response.headers.get("azure-asyncoperation") or response.headers.get("location")


def is_under_way(body: object) -> bool:
    """Whether a resource says that it is being changed."""
    state = ((body.get("properties") or {}) if isinstance(body, dict) else {}).get("provisioningState")
    return str(state or "").lower() in _UNDER_WAY


def _is_unfinished(answer: ArmResponse) -> bool:
    """Of a poll: an operation's status, a resource's state, or 202 from a Location. Raises when it failed."""
    body = answer.body if isinstance(answer.body, dict) else {}
    status = str(body.get("status") or (body.get("properties") or {}).get("provisioningState") or "")
    if status.lower() in {"failed", "canceled"}:
        error = body.get("error") or {}
        raise OperationFailed(
            str(error.get("code") or "OperationFailed"), answer.status, str(error.get("message") or f"the operation {status.lower()}")
        )
    return answer.status == 202 or status.lower() in _UNDER_WAY


def check_response(response: ArmResponse) -> ArmResponse:
    """The response itself, or ArmError for a status of 400 and above."""
    return _checked(response)
