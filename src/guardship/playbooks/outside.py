"""Calls of the outside: intent, answer, retry, and what becomes of a call that was cut short by a crash."""

import hashlib
from http import HTTPStatus
from typing import Any

import orjson

from guardship.playbooks.connector import Recovery
from guardship.playbooks.definition import Action, Outside, Pause, RetryPolicy, Status
from guardship.playbooks.events import WAITS_FOR_APPROVAL, Answered, Call, Decided, EventKind, Failure, Held, SetTimer
from guardship.playbooks.expressions.values import EvaluationFailed, Value
from guardship.playbooks.progress import Progress
from guardship.playbooks.state import Frame, Record

SECOND = 1_000_000
POLL_SECONDS = 5.0
UNKNOWN_SECONDS = 90 * 86_400.0
NOBODY_SAID = {"code": "OutcomeUnknown", "message": "Whether this call was carried out is not known, and nobody has said so in 90 days."}
TIMED_OUT = {"code": "ActionTimedOut", "message": "The action did not end before its time limit."}
_NEVER = 1 << 62


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


def start_call(progress: Progress, action: Action, frame: Frame, deed: Outside, *, callback: str | None = None) -> bool:
    """Whether a call is made: not when its inputs cannot be worked out, or its result is given in the definition."""
    scope = progress.scope(frame, frame.prefix + action.key, callback=callback)
    try:
        inputs = deed.inputs(scope)
        static = deed.static_result(scope) if deed.static_result else None
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return False
    if isinstance(static, dict):
        status = str(static.get("status", Status.SUCCEEDED))
        progress.end(action, frame, {"status": status, "code": "StaticResult", "inputs": inputs, "outputs": static.get("outputs")})
        return False
    send(progress, action, frame, deed, inputs, attempt=1)
    return True


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
    record = progress.state.records.get(key)
    poll = record.poll if record else None
    deadline_at = _deadline_of(held) or min(progress.at + int(operation.timeout_seconds * SECOND), _end_of(progress, action, record))
    approval_id = held.approval_id if held else None
    idempotent = idempotency_key(progress.state.run_id, action, frame)
    body: dict[str, Any] = {
        "attempt": attempt,
        "operation": f"{deed.connector}/{operation.name}",
        "recovery": Recovery.RETRY.value if poll else recovery_of(deed).value,
        "effect": operation.has_effect and poll is None,
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
    effect, connector = bool(body["effect"]), deed.connector
    progress.commands.append(
        Call(key, action.name, connector, operation.name, inputs, attempt, idempotent, deadline_at, effect, asks_first, approval_id, poll)
    )


def _end_of(progress: Progress, action: Action, record: Record | None) -> int:
    """When the action's own time is over, with all its attempts."""
    if action.timeout_seconds is None:
        return _NEVER
    return (record.started_at if record else progress.at) + int(action.timeout_seconds * SECOND)


def take_answer(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record, answer: Answered) -> bool:
    """False: the call is not over; it waits, or is made again."""
    failure = answer.failure
    if failure is not None and failure.held is not None:
        wait_for_approval(progress, frame.prefix + action.key, record, failure, failure.held)
        return False
    if failure is not None and failure.is_unknown and recovery_of(deed) is Recovery.ASK and record.poll is None:
        leave_unknown(progress, frame.prefix + action.key, record, failure.message)
        return False
    wants_retry = failure.may_retry if failure else answer.status_code in (408, 429) or answer.status_code >= 500
    if wants_retry and record.retries < deed.retry.count and not (failure and failure.is_timeout):
        plan_retry(progress, action, frame, deed.retry, record, answer)
        return False
    if answer.status_code == 202 and deed.follows_accepted and (place := _header(answer, "location")):
        plan_poll(progress, action, frame, record, answer, place)
        return False
    return True


def end_call(progress: Progress, action: Action, frame: Frame, record: Record, answer: Answered) -> None:
    """The action ends with what the call was answered."""
    failure = answer.failure
    body: dict[str, Any] = {"attempt": answer.attempt, "started_at": record.started_at}
    if answer.was_probed:
        body["replayed"] = True
    if failure is not None:
        status = Status.TIMED_OUT if failure.is_timeout else Status.FAILED
        body |= {"status": status.value, "code": failure.code, "error": {"code": failure.code, "message": failure.message}}
    else:
        outputs = {"statusCode": answer.status_code, "headers": answer.headers, "body": answer.body}
        body |= {"status": Status.SUCCEEDED.value, "code": code_of(answer.status_code), "outputs": outputs}
        if not 200 <= answer.status_code < 300:
            reason = {"code": body["code"], "message": message_of(answer.status_code, answer.body)}
            body |= {"status": Status.FAILED.value, "error": reason}
    progress.end(action, frame, body)


def code_of(status: int) -> str:
    try:
        return "OK" if status == 200 else HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return f"Http{status}"


def message_of(status: int, body: Value) -> str:
    inner = body.get("error") if isinstance(body, dict) else None
    if isinstance(inner, dict) and inner.get("message"):
        return str(inner["message"])
    return f"The call was answered with status {status}."


def _header(answer: Answered, name: str) -> str:
    return next((value for key, value in answer.headers.items() if key.lower() == name), "")


def plan_retry(progress: Progress, action: Action, frame: Frame, policy: RetryPolicy, record: Record, answer: Answered) -> None:
    key = frame.prefix + action.key
    wait = retry_seconds(policy, record.retries + 1, progress.seed, key)
    asked = _header(answer, "retry-after")
    if asked.isdigit():
        wait = max(wait, float(asked))
    reason = answer.failure.message if answer.failure else f"status {answer.status_code}"
    _call_again(progress, action, frame, record, wait, {"reason": reason, "code": answer.status_code})


def plan_poll(progress: Progress, action: Action, frame: Frame, record: Record, answer: Answered, place: str) -> None:
    """The call was accepted and goes on over there: ask for its answer, as often as it says, until it is something else."""
    asked = _header(answer, "retry-after")
    wait = float(asked) if asked.isdigit() else POLL_SECONDS
    _call_again(progress, action, frame, record, wait, {"reason": "accepted, not done yet", "code": 202, "poll": place})


def _call_again(progress: Progress, action: Action, frame: Frame, record: Record, wait: float, why: dict[str, Any]) -> None:
    key = frame.prefix + action.key
    due_at = min(progress.at + int(wait * SECOND), _end_of(progress, action, record))
    progress.emit(EventKind.RETRY_PLANNED, key, {"next_attempt": record.attempt + 1, "due_at": due_at, **why})
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
    if progress.at >= _end_of(progress, action, record):
        body = {"status": Status.TIMED_OUT.value, "code": TIMED_OUT["code"], "error": TIMED_OUT, "attempt": record.attempt}
        progress.end(action, frame, body)
        return
    replayed = bool(record.intent and record.intent.get("replayed"))
    asks_first = replayed and recovery_of(deed) is Recovery.PROBE and record.poll is None
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
    """A person says what became of it; when nobody does, the action fails at last."""
    due_at = progress.at + int(UNKNOWN_SECONDS * SECOND)
    progress.emit(EventKind.OUTCOME_UNKNOWN, key, {"attempt": record.attempt, "reason": reason, "due_at": due_at})
    progress.commands.append(SetTimer(key, due_at))


def give_up(progress: Progress, action: Action, frame: Frame) -> None:
    body = {"status": Status.FAILED.value, "code": NOBODY_SAID["code"], "error": NOBODY_SAID}
    progress.end(action, frame, body)


def recover(progress: Progress, action: Action, frame: Frame, deed: Outside, record: Record) -> None:
    """A call with an intent and no result, found in the journal after a crash."""
    policy = Recovery.RETRY if record.poll else recovery_of(deed)
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
