"""Actions that give somebody an address and wait until they call it: HttpWebhook, ApiConnectionWebhook, Workflow.

The address holds a token drawn from the stored seed, so that a call made again after a crash names the same one; the journal keeps its
hash. The first call of the address is the answer, later ones are written down as such. Who is not waited for any more is told so once.
"""

import base64
import hashlib
from typing import Any

from guardship.playbooks import outside
from guardship.playbooks.definition import Action, Status, Webhook
from guardship.playbooks.events import CalledBack, DropTimer, EventKind, OpenCallback, PartingCall, SetTimer
from guardship.playbooks.expressions.values import EvaluationFailed
from guardship.playbooks.progress import Progress
from guardship.playbooks.state import Frame, Record

LONGEST_WAIT_SECONDS = 90 * 86_400.0
TIMED_OUT = {"code": "ActionTimedOut", "message": "Nobody called the address of this action before its deadline."}


def address_of(progress: Progress, key: str) -> tuple[str, bytes]:
    """The address for this action, and the hash of its token."""
    drawn = hashlib.sha256(progress.seed + f"{key}/callback".encode()).digest()
    token = base64.urlsafe_b64encode(drawn).decode().rstrip("=")
    return f"{progress.workflow.address}/callbacks/{token}", token_hash(token)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def start(progress: Progress, action: Action, frame: Frame, deed: Webhook) -> None:
    key = frame.prefix + action.key
    address, hashed = address_of(progress, key)
    is_sent = outside.start_call(progress, action, frame, deed.subscribe, callback=address)
    if is_sent:
        progress.commands.append(OpenCallback(key, hashed, progress.at + int(_wait_seconds(action) * outside.SECOND)))


def _wait_seconds(action: Action) -> float:
    return LONGEST_WAIT_SECONDS if action.timeout_seconds is None else action.timeout_seconds


def wait(progress: Progress, action: Action, frame: Frame, record: Record) -> None:
    """The address is known to whom it was meant for; what comes now is a call of it, or the deadline."""
    key = frame.prefix + action.key
    due_at = record.started_at + int(_wait_seconds(action) * outside.SECOND)
    progress.emit(EventKind.WAIT_OPENED, key, {"kind": "callback", "due_at": due_at})
    progress.commands.append(SetTimer(key, due_at))


def take_call(progress: Progress, action: Action, frame: Frame, record: Record, called: CalledBack) -> None:
    """It may come before the call that gave the address away has been answered."""
    if record.wait in ("retry", "callback"):
        progress.commands.append(DropTimer(called.key))
    body: dict[str, Any] = {"status": Status.SUCCEEDED.value, "code": outside.code_of(called.status_code), "by": called.sender}
    outputs: dict[str, Any] = {"statusCode": called.status_code, "headers": called.headers, "body": called.body}
    if called.queries:
        outputs["queries"] = called.queries
    body["outputs"] = outputs
    if not 200 <= called.status_code < 300:
        reason = {"code": body["code"], "message": outside.message_of(called.status_code, called.body)}
        body |= {"status": Status.FAILED.value, "error": reason}
    progress.end(action, frame, body)


def time_out(progress: Progress, action: Action, frame: Frame, deed: Webhook) -> None:
    progress.end(action, frame, {"status": Status.TIMED_OUT.value, "code": TIMED_OUT["code"], "error": TIMED_OUT})
    part(progress, action, frame, deed)


def part(progress: Progress, action: Action, frame: Frame, deed: Webhook) -> None:
    """Say once that nobody is waited for any more; what is not said for a crash stays unsaid."""
    if deed.unsubscribe is None:
        return
    key = frame.prefix + action.key
    try:
        inputs = deed.unsubscribe.inputs(progress.scope(frame, key))
    except EvaluationFailed:
        return  # there is nobody left who could be told of it
    key_of_call = hashlib.sha256(f"{outside.idempotency_key(progress.state.run_id, action, frame)}/unsubscribe".encode()).hexdigest()
    progress.commands.append(PartingCall(key, action.name, inputs, key_of_call))
