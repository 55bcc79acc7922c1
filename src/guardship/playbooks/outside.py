"""Calls of the outside: intent, answer, retry, and what becomes of a call that was cut short by a crash."""

import hashlib
from http import HTTPStatus
from typing import Any

import orjson

from guardship.playbooks.connector import Recovery
from guardship.playbooks.definition import Action, Outside, Pause, RetryPolicy, Status
from guardship.playbooks.events import WAITS_FOR_APPROVAL, Answered, Call, Decided, DropTimer, EventKind, Failure, Held, SetTimer
from guardship.playbooks.expressions.values import EvaluationFailed, Value
from guardship.playbooks.progress import Progress
from guardship.playbooks.state import Frame, Record

SECOND = 1_000_000


def idempotency_key(run_id: str, action: Action, frame: Frame) -> str:
    """sha256 over `[run_id, path without iterations, [iterations]]`: the same over attempts and restarts."""
    iterations: list[int] = []
    here: Frame | None = frame
    while here is not None and here.container_key:
        iterations.insert(0, here.index)
        here = here.parent
    path = "/".join((*action.loops, action.name))
    return hashlib.sha256(orjson.dumps([run_id, path, iterations])).hexdigest()


def recovery_of(deed: Outside) -> Recovery:
    """As the operation declares; a POST whose author wants no retries is not repeated after a crash either."""
    declared = deed.operation.recovery
    if declared is Recovery.RETRY and deed.operation.method in ("POST", "PATCH") and deed.retry.kind == "none":
        return Recovery.ASK
    return declared


def start_call(progress: Progress, action: Action, frame: Frame, deed: Outside) -> None:
    key = frame.prefix + action.key
    scope = progress.scope(frame, key)
    try:
        inputs = deed.inputs(scope)
        static = deed.static_result(scope) if deed.static_result else None
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    if isinstance(static, dict):
        status = str(static.get("status", Status.SUCCEEDED))
        progress.end(action, frame, {"status": status, "code": "StaticResult", "inputs": inputs, "outputs": static.get("outputs")})
        return
    send(progress, action, frame, deed, inputs, attempt=1)


def send(
    progress: Progress,
    action: Action,
    frame: Frame,
    deed: Outside,
    inputs: Value,
    *,
    attempt: int,
    asks_first: bool = False,
    replayed: bool = False,
    held: Record | None = None,
) -> None:
    """Write down the intent and ask for the call. One that was `held` keeps its deadline, however long the answer took."""
    key = frame.prefix + action.key
    operation = deed.operation
    limit = operation.timeout_seconds if action.timeout_seconds is None else min(action.timeout_seconds, operation.timeout_seconds)
    deadline_at = _deadline_of(held) or progress.at + int(limit * SECOND)
    approval_id = held.approval_id if held else None
    idempotent = idempotency_key(progress.state.run_id, action, frame)
    body: dict[str, Any] = {
        "attempt": attempt,
        "operation": f"{deed.connector}/{operation.name}",
        "recovery": recovery_of(deed).value,
        "effect": operation.has_effect,
        "idempotency_key": idempotent,
        "deadline_at": deadline_at,
    }
    if approval_id:
        body["approval_id"] = approval_id
    elif attempt == 1:
        body["inputs"] = inputs
    if replayed:
        body["replayed"] = True
    progress.emit(EventKind.ACTION_STARTED, key, body)
    inputs = body.get("inputs", inputs)  # as it was written down: exact decimals are numbers by now
    effect, connector = operation.has_effect, deed.connector
    progress.commands.append(
        Call(key, action.name, connector, operation.name, inputs, attempt, idempotent, deadline_at, effect, asks_first, approval_id)
    )


def take_answer(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record, answer: Answered) -> None:
    failure = answer.failure
    if failure is not None and failure.held is not None:
        wait_for_approval(progress, frame.prefix + action.key, record, failure, failure.held)
        return
    if failure is not None and failure.is_unknown and recovery_of(deed) is Recovery.ASK:
        leave_unknown(progress, frame.prefix + action.key, record, failure.message)
        return
    wants_retry = failure.may_retry if failure else answer.status_code in (408, 429) or answer.status_code >= 500
    if wants_retry and answer.attempt <= deed.retry.count and not (failure and failure.is_timeout):
        plan_retry(progress, frame.prefix + action.key, deed.retry, answer)
        return
    body: dict[str, Any] = {"attempt": answer.attempt, "started_at": record.started_at}
    if answer.was_probed:
        body["replayed"] = True
    if failure is not None:
        status = Status.TIMED_OUT if failure.is_timeout else Status.FAILED
        body |= {"status": status.value, "code": failure.code, "error": {"code": failure.code, "message": failure.message}}
    else:
        outputs = {"statusCode": answer.status_code, "headers": answer.headers, "body": answer.body}
        body |= {"status": Status.SUCCEEDED.value, "code": _code_of(answer.status_code), "outputs": outputs}
        if not 200 <= answer.status_code < 300:
            code = _code_of(answer.status_code)
            body |= {"status": Status.FAILED.value, "error": {"code": code, "message": _message_of(answer)}}
    progress.end(action, frame, body)


def _code_of(status: int) -> str:
    try:
        return "OK" if status == 200 else HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return f"Http{status}"


def _message_of(answer: Answered) -> str:
    body = answer.body
    inner = body.get("error") if isinstance(body, dict) else None
    if isinstance(inner, dict) and inner.get("message"):
        return str(inner["message"])
    return f"The call was answered with status {answer.status_code}."


def plan_retry(progress: Progress, key: str, policy: RetryPolicy, answer: Answered) -> None:
    wait = retry_seconds(policy, answer.attempt, progress.seed, key)
    asked = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
    if asked.isdigit():
        wait = max(wait, float(asked))
    reason = answer.failure.message if answer.failure else f"status {answer.status_code}"
    due_at = progress.at + int(wait * SECOND)
    progress.emit(
        EventKind.RETRY_PLANNED, key, {"next_attempt": answer.attempt + 1, "due_at": due_at, "reason": reason, "code": answer.status_code}
    )
    progress.commands.append(SetTimer(key, due_at))


def wait_for_approval(progress: Progress, key: str, record: Record, failure: Failure, held: Held) -> None:
    """The same attempt again, when a person has answered or nobody can any more; it does not count against the retry policy."""
    due_at = min(held.until, _deadline_of(record) or held.until)
    body = {"next_attempt": record.attempt, "due_at": due_at, "reason": failure.message, "code": WAITS_FOR_APPROVAL}
    progress.emit(EventKind.RETRY_PLANNED, key, body | {"approval_id": held.approval_id})
    progress.commands.append(SetTimer(key, due_at, held.approval_id))


def go_on(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record) -> None:
    """After a pause: the next try, or the call that was held. What a crash had cut short is still asked for first."""
    held = record if record.approval_id else None
    if held and (_deadline_of(held) or progress.at) <= progress.at:
        error = {"code": "NotApproved", "message": "Nobody approved before the action's deadline."}
        progress.end(
            action, frame, {"status": Status.TIMED_OUT.value, "code": "NotApproved", "error": error, "attempt": record.attempt + 1}
        )
        return
    replayed = bool(record.intent and record.intent.get("replayed"))
    asks_first = replayed and recovery_of(deed) is Recovery.PROBE
    send(progress, action, frame, deed, record.inputs, attempt=record.attempt + 1, asks_first=asks_first, replayed=replayed, held=held)


def _deadline_of(record: Record | None) -> int | None:
    """Of the call that is under way or waits."""
    return record.intent["deadline_at"] if record is not None and record.intent is not None else None


def retry_seconds(policy: RetryPolicy, attempt: int, seed: bytes, key: str) -> float:
    """Retry n waits uniformly in [max(2^(n-2)·interval, least), min(2^(n-1)·interval, most)]; the first in [least, interval]."""
    if policy.kind == "fixed":
        return policy.interval_seconds
    low = policy.least_seconds if attempt == 1 else max(2.0 ** (attempt - 2) * policy.interval_seconds, policy.least_seconds)
    high = min(2.0 ** (attempt - 1) * policy.interval_seconds, policy.most_seconds)
    drawn = int.from_bytes(hashlib.sha256(seed + f"{key}/retry/{attempt}".encode()).digest()[:8]) / 2**64
    return min(low, high) + (max(high, low) - min(low, high)) * drawn


def leave_unknown(progress: Progress, key: str, record: Record, reason: str) -> None:
    progress.emit(EventKind.OUTCOME_UNKNOWN, key, {"attempt": record.attempt, "reason": reason})


def recover(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record) -> None:
    """A call with an intent and no result, found in the journal after a crash."""
    policy = recovery_of(deed)
    if policy is Recovery.ASK:
        leave_unknown(progress, frame.prefix + action.key, record, "the process ended while this call was under way")
        return
    asks_first = policy is Recovery.PROBE
    held = record if record.approval_id else None
    send(progress, action, frame, deed, record.inputs, attempt=record.attempt + 1, asks_first=asks_first, replayed=True, held=held)


def take_decision(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record, decision: Decided) -> None:
    match decision.choice:
        case "again":
            send(progress, action, frame, deed, record.inputs, attempt=record.attempt + 1)
        case "done":
            body = {"status": Status.SUCCEEDED.value, "code": "MarkedDone", "outputs": None, "by": decision.by}
            progress.end(action, frame, body)
        case _:
            error = {"code": "MarkedFailed", "message": f"{decision.by} marked this call as failed."}
            progress.end(action, frame, {"status": Status.FAILED.value, "code": "MarkedFailed", "error": error, "by": decision.by})


def start_pause(progress: Progress, action: Action, frame: Frame, deed: Pause) -> None:
    key = frame.prefix + action.key
    try:
        inputs = deed.inputs(progress.scope(frame, key))
        due_at = deed.due_at(inputs, progress.at)
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    progress.emit(EventKind.WAIT_OPENED, key, {"kind": "timer", "due_at": due_at, "inputs": inputs})
    progress.commands.append(SetTimer(key, due_at))


def drop_timer(progress: Progress, key: str) -> None:
    progress.commands.append(DropTimer(key))
