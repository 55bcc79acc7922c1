"""The engine: `advance(workflow, state, happening)` gives the events that follow and the commands they ask for.

It does no I/O, reads no clock and draws no random numbers: the happening brings its moment and seed. The state is taken over: what
`advance` returns has been applied to it already. Loading a journal and applying it gives the same state.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from guardship.playbooks import containers, outside, webhooks
from guardship.playbooks.definition import (
    ENDED,
    Action,
    Block,
    Foreach,
    Group,
    If,
    Immediate,
    Outside,
    Pause,
    Respond,
    Status,
    Switch,
    Terminate,
    Until,
    Webhook,
    Workflow,
    call_of,
)
from guardship.playbooks.events import (
    AbortCall,
    Answered,
    Begin,
    CalledBack,
    CancelAsked,
    Command,
    Decided,
    DropTimer,
    Event,
    EventKind,
    Happening,
    NotKeepable,
    Resumed,
    TimerFired,
    encode_payloads,
)
from guardship.playbooks.events import Respond as SendResponse
from guardship.playbooks.expressions.values import EvaluationFailed, text_of
from guardship.playbooks.progress import NO_DEPENDENT, Progress, Work
from guardship.playbooks.state import ROOT, Frame, Loop, RunState, name_of

_TIMED = ("timer", "retry", "callback", "approval")  # waits that a timer ends


@dataclass(frozen=True, slots=True)
class Step:
    events: list[Event]
    commands: list[Command]


def advance(workflow: Workflow, state: RunState, happening: Happening) -> Step:
    progress = Progress(workflow, state, happening.at, happening.seed)
    if not state.has_ended:
        _take(progress, happening)
        _work(progress)
    return Step(progress.events, progress.commands)


def _take(progress: Progress, happening: Happening) -> None:
    match happening:
        case Begin():
            progress.open_block(progress.workflow.root, ROOT)
        case Resumed():
            _resume_block(progress, progress.workflow.root, ROOT)
        case Answered():
            _take_answer(progress, happening)
        case CalledBack():
            _take_call(progress, happening)
        case TimerFired():
            _take_timer(progress, happening)
        case Decided():
            _take_decision(progress, happening)
        case CancelAsked():
            progress.emit(EventKind.CANCEL_ASKED, "", {"by": happening.by, "reason": happening.reason, "message_id": happening.message_id})
            error = {"code": "RunCancelled", "message": f"Cancelled by {happening.by}: {happening.reason}"}
            _stop(progress, Status.CANCELLED, "RunCancelled", error)


def _work(progress: Progress) -> None:
    work, state = progress.work, progress.state
    while work and not state.has_ended:
        what, thing, frame = work.popleft()
        if what is Work.START and isinstance(thing, Action):
            _start(progress, thing, frame)
        elif what is Work.ENDED and isinstance(thing, Action):
            progress.after(thing, frame)
        elif isinstance(thing, Block):
            _close(progress, thing, frame)


def _start(progress: Progress, action: Action, frame: Frame) -> None:
    if frame.prefix + action.key in progress.state.records:
        return
    try:
        _do(progress, action, frame)
    except NotKeepable as error:
        progress.fail(action, frame, error)


def _do(progress: Progress, action: Action, frame: Frame) -> None:
    deed = action.deed
    match deed:
        case Immediate():
            _perform(progress, action, frame, deed)
        case Outside():
            outside.start_call(progress, action, frame, deed)
        case Webhook():
            webhooks.start(progress, action, frame, deed)
        case If() | Switch() | Group():
            containers.open_branching(progress, action, frame, deed)
        case Foreach():
            containers.open_foreach(progress, action, frame, deed)
        case Until():
            containers.open_until(progress, action, frame, deed)
        case Pause():
            outside.start_pause(progress, action, frame, deed)
        case Respond():
            _respond(progress, action, frame, deed)
        case Terminate():
            _terminate(progress, action, frame, deed)
        case _:
            assert_never(deed)


def _perform(progress: Progress, action: Action, frame: Frame, deed: Immediate) -> None:
    key = frame.prefix + action.key
    try:
        outcome = deed.perform(progress.scope(frame, key))
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    for name, value in outcome.variables:
        progress.emit(EventKind.VARIABLE_SET, key, {"name": name, "value": value})
    body: dict[str, Any] = {"status": outcome.status.value, "code": outcome.code, "inputs": outcome.inputs, "outputs": outcome.outputs}
    if outcome.error is not None:
        body["error"] = outcome.error
    progress.end(action, frame, body)


def _respond(progress: Progress, action: Action, frame: Frame, deed: Respond) -> None:
    try:
        made = deed.inputs(progress.scope(frame, frame.prefix + action.key))
        inputs = made if isinstance(made, dict) else {}
        status = int(text_of(inputs.get("statusCode", 200)))
    except (EvaluationFailed, ValueError) as error:
        progress.fail(action, frame, EvaluationFailed(str(error)))
        return
    headers = {name: text_of(value) for name, value in (inputs.get("headers") or {}).items()}
    outputs = {"statusCode": status, "headers": headers, "body": inputs.get("body")}
    body: dict[str, Any] = {"status": Status.SUCCEEDED.value, "code": "OK", "inputs": inputs, "outputs": outputs}
    encode_payloads(body)  # raises what cannot be kept, and leaves what JSON takes: that is sent
    progress.end(action, frame, body)
    progress.commands.append(SendResponse(status, headers, body["outputs"]["body"]))


def _terminate(progress: Progress, action: Action, frame: Frame, deed: Terminate) -> None:
    try:
        made = deed.inputs(progress.scope(frame, frame.prefix + action.key))
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    inputs = made if isinstance(made, dict) else {}
    body: dict[str, Any] = {"status": Status.SUCCEEDED.value, "code": "OK", "inputs": inputs}
    progress.emit(EventKind.ACTION_ENDED, frame.prefix + action.key, body)
    kept: dict[str, Any] = body["inputs"]  # as JSON takes it: what the run ends with is taken from there
    wanted = text_of(kept.get("runStatus", "")).lower()
    status = next((one for one in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED) if one.lower() == wanted), Status.FAILED)
    given = kept.get("runError")
    reason = given if isinstance(given, dict) and status is Status.FAILED else None
    code = text_of(reason.get("code")) if reason else "Terminated"
    _stop(progress, status, code, reason)


def _stop(progress: Progress, status: Status, code: str, error: dict[str, Any] | None) -> None:
    """End the run here: what runs is cancelled, what has not begun is skipped."""
    state = progress.state
    reason = error or {"code": code, "message": "The run was ended by a Terminate action."}
    for key, record in list(state.records.items()):
        if record.status in ENDED:
            continue
        progress.commands.append(DropTimer(key) if record.wait in _TIMED else AbortCall(key))
        progress.emit(EventKind.ACTION_ENDED, key, {"status": Status.CANCELLED.value, "code": "ActionCancelled", "error": reason})
        action = progress.workflow.action(name_of(key))
        if action is not None and isinstance(action.deed, Webhook):
            webhooks.part(progress, action, state.frame_of(key), action.deed)
    progress.skip_block(progress.workflow.root, ROOT)
    blocks = {block.block_id: block for block in progress.workflow.blocks.values()}
    for (block_id, prefix), left in list(state.open_counts.items()):
        if left > 0 and prefix in state.frames:
            progress.skip_block(blocks[block_id], state.frames[prefix])
        elif left > 0 and not prefix:
            progress.skip_block(blocks[block_id], ROOT)
    _end_run(progress, status, code, error)


def _end_run(progress: Progress, status: Status, code: str | None, error: dict[str, Any] | None) -> None:
    body: dict[str, Any] = {"status": status.value, "code": code, "error": error}
    if progress.workflow.outputs is not None:
        try:
            body["outputs"] = progress.workflow.outputs(progress.scope(ROOT, ""))
        except EvaluationFailed as failed:
            body["outputs"] = {"error": failed.message}
    progress.emit(EventKind.RUN_ENDED, "", body)


def _close(progress: Progress, block: Block, frame: Frame) -> None:
    owner = progress.workflow.action(block.owner) if block.owner is not None else None
    if owner is not None:
        containers.close_block(progress, block, frame, owner)
        return
    status = progress.block_status(block, frame)
    if status is Status.SUCCEEDED:
        _end_run(progress, status, None, None)
    else:
        _end_run(progress, status, NO_DEPENDENT["code"], NO_DEPENDENT)


def _found(progress: Progress, key: str) -> tuple[Action, Frame] | None:
    action = progress.workflow.action(name_of(key))
    return None if action is None else (action, progress.state.frame_of(key))


def _take_answer(progress: Progress, answer: Answered) -> None:
    record, found = progress.state.records.get(answer.key), _found(progress, answer.key)
    if record is None or found is None or record.has_ended or record.intent is None or record.wait or record.attempt != answer.attempt:
        return  # late: the action has ended otherwise
    action, frame = found
    call = call_of(action.deed)
    if call is None or not outside.take_answer(progress, action, frame, call, record, answer):
        return
    if isinstance(action.deed, Webhook) and 200 <= answer.status_code < 300 and not answer.is_final:
        webhooks.wait(progress, action, frame, record)
    else:
        outside.end_call(progress, action, frame, record, answer)


def _take_call(progress: Progress, called: CalledBack) -> None:
    record, found = progress.state.records.get(called.key), _found(progress, called.key)
    is_open = record is not None and not record.has_ended
    disposition = "taken" if is_open else "duplicate" if record is not None and record.status == Status.SUCCEEDED else "late"
    body = {"message_id": called.message_id, "by": called.sender, "disposition": disposition}
    progress.emit(EventKind.MESSAGE_TAKEN, called.key, body)
    if record is not None and found is not None and is_open:
        webhooks.take_call(progress, *found, record, called)


def _take_timer(progress: Progress, fired: TimerFired) -> None:
    record, found = progress.state.records.get(fired.key), _found(progress, fired.key)
    if record is None or found is None or record.has_ended or record.wait not in _TIMED:
        progress.commands.append(DropTimer(fired.key))
        return
    action, frame = found
    progress.emit(EventKind.TIMER_FIRED, fired.key, {"due_at": fired.due_at})
    progress.commands.append(DropTimer(fired.key))
    call = call_of(action.deed)
    if isinstance(action.deed, Webhook) and record.wait == "callback":
        webhooks.time_out(progress, action, frame, action.deed)
    elif record.wait == "approval":
        outside.give_up(progress, action, frame)
    elif call is not None:
        outside.go_on(progress, action, frame, call, record)
    else:
        progress.end(action, frame, {"status": Status.SUCCEEDED.value, "code": "OK"})


def _take_decision(progress: Progress, decision: Decided) -> None:
    record, found = progress.state.records.get(decision.key), _found(progress, decision.key)
    is_open = record is not None and record.wait == "approval" and not record.has_ended
    body = {"message_id": decision.message_id, "by": decision.by, "choice": decision.choice, "disposition": "taken" if is_open else "late"}
    progress.emit(EventKind.MESSAGE_TAKEN, decision.key, body)
    if record is None or found is None or not is_open:
        return
    action, frame = found
    progress.commands.append(DropTimer(decision.key))
    call = call_of(action.deed)
    if isinstance(action.deed, Webhook) and decision.choice == "done":
        webhooks.wait(progress, action, frame, record)
    elif call is not None:
        outside.take_decision(progress, action, frame, call, record, decision)


def _resume_block(progress: Progress, block: Block, frame: Frame) -> None:
    """Count again what is open, start what is ready, and look after what was under way."""
    records = progress.state.records
    ended = [action for action in block.actions if (record := records.get(frame.prefix + action.key)) is not None and record.has_ended]
    progress.state.open_counts[block.block_id, frame.prefix] = len(block.actions) - len(ended)
    if len(ended) == len(block.actions):
        progress.work.append((Work.CLOSE, block, frame))
        return
    for action in block.actions:
        record = records.get(frame.prefix + action.key)
        if record is None:
            progress.consider(action, frame)
        elif not record.has_ended and record.wait is None:
            _resume_action(progress, action, frame)


def _resume_action(progress: Progress, action: Action, frame: Frame) -> None:
    key = frame.prefix + action.key
    state = progress.state
    call = call_of(action.deed)
    match action.deed:
        case Outside() | Webhook() if call is not None:
            outside.recover(progress, action, frame, call, state.records[key])
        case Foreach():
            _resume_foreach(progress, action, frame, action.deed)
        case Until():
            _resume_block(progress, action.blocks[0], state.frame(key, action.name, state.containers[key].iteration, frame))
        case _:
            branch = state.containers[key].branch
            for block in action.blocks:
                if block.label == branch:
                    _resume_block(progress, block, frame)


def _resume_foreach(progress: Progress, action: Action, frame: Frame, deed: Foreach) -> None:
    key = frame.prefix + action.key
    state, body = progress.state, action.blocks[0]
    loop = state.loops[key] = Loop()
    open_frames = []
    for index in range(state.containers[key].count):
        inner = state.frame(key, action.name, index, frame)
        held = [state.records.get(inner.prefix + one.key) for one in body.actions]
        if held and all(record is not None and record.has_ended for record in held):
            status = progress.block_status(body, inner)
            loop.done += 1
            loop.has_failed |= status is Status.FAILED
            loop.has_timed_out |= status is Status.TIMED_OUT
        elif any(held):
            loop.running += 1
            open_frames.append(inner)
        else:
            break
        loop.next_index = index + 1
    for inner in open_frames:
        _resume_block(progress, body, inner)
    containers.continue_foreach(progress, action, frame, deed)
