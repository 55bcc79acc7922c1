"""Actions that hold others: If, Switch, Scope, Foreach, Until: how they open, and what happens when a block in them is done."""

from typing import Any

from guardship.playbooks.definition import Action, Block, Foreach, Group, If, Status, Switch, Until
from guardship.playbooks.durations import read_duration
from guardship.playbooks.events import EventKind
from guardship.playbooks.expressions.values import EvaluationFailed, Value, same, type_name
from guardship.playbooks.progress import NO_DEPENDENT, Progress
from guardship.playbooks.state import Container, Frame, Loop

MOST_ITEMS = 100_000
MOST_PASSES = 5_000


def open_branching(progress: Progress, action: Action, frame: Frame, deed: If | Switch | Group) -> None:
    key = frame.prefix + action.key
    scope = progress.scope(frame, key)
    branch, inputs = "actions", None
    try:
        match deed:
            case If():
                verdict = deed.decide(scope)
                branch = "actions" if verdict.holds else "else"
                inputs = {"expression": verdict.explanation, "expressionResult": verdict.holds}
            case Switch():
                value = deed.expression(scope)
                branch = next((label for label, case in deed.cases if same(case(scope), value)), "default")
                inputs = {"expression": value}
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    body: dict[str, Any] = {"kind": action.kind, "branch": branch}
    if inputs is not None:
        body["inputs"] = inputs
    progress.emit(EventKind.CONTAINER_OPENED, key, body)
    for block in action.blocks:
        if block.label == branch:
            progress.open_block(block, frame)
        else:
            progress.skip_block(block, frame)


def open_foreach(progress: Progress, action: Action, frame: Frame, deed: Foreach) -> None:
    key = frame.prefix + action.key
    try:
        items = deed.items(progress.scope(frame, key))
        if not isinstance(items, list):
            raise EvaluationFailed(f"The loop '{action.name}' goes over an array, its value is of type '{type_name(items)}'.")
        if len(items) > MOST_ITEMS:
            raise EvaluationFailed(f"The loop '{action.name}' may go over {MOST_ITEMS} items, it was given {len(items)}.")
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    body = {"kind": "Foreach", "items": items, "count": len(items), "concurrency": deed.at_once}
    progress.emit(EventKind.CONTAINER_OPENED, key, body)
    progress.state.loops[key] = Loop()
    continue_foreach(progress, action, frame, deed)


def continue_foreach(progress: Progress, action: Action, frame: Frame, deed: Foreach) -> None:
    """Begin as many iterations as may run at once; end the loop when all are done."""
    key = frame.prefix + action.key
    container, loop = progress.state.containers[key], progress.state.loops[key]
    if loop.done == container.count:
        if container.count == 0:
            progress.skip_inside(action, frame)
        status = Status.FAILED if loop.has_failed else Status.TIMED_OUT if loop.has_timed_out else Status.SUCCEEDED
        _end(progress, action, frame, status)
        return
    while loop.running < deed.at_once and loop.next_index < container.count:
        inner = progress.state.frame(key, action.name, loop.next_index, frame)
        loop.next_index += 1
        loop.running += 1
        progress.open_block(action.blocks[0], inner)


def open_until(progress: Progress, action: Action, frame: Frame, deed: Until) -> None:
    key = frame.prefix + action.key
    scope = progress.scope(frame, key)
    try:
        count, timeout = deed.count(scope), _seconds(deed.timeout(scope))
        if not isinstance(count, int) or not 1 <= count <= MOST_PASSES:
            raise EvaluationFailed(f"The limit of the loop '{action.name}' is a count from 1 to {MOST_PASSES}, not {count}.")
    except EvaluationFailed as error:
        progress.fail(action, frame, error)
        return
    progress.emit(EventKind.CONTAINER_OPENED, key, {"kind": "Until", "count": count, "timeout_seconds": timeout})
    progress.open_block(action.blocks[0], progress.state.frame(key, action.name, 0, frame))


def _seconds(timeout: Value) -> float:
    seconds = read_duration(timeout) if isinstance(timeout, str) else None
    if seconds is None:
        raise EvaluationFailed(f"The time limit '{timeout}' of a loop is not a duration.")
    return seconds


def close_block(progress: Progress, block: Block, frame: Frame, owner: Action) -> None:
    """All actions of a block inside `owner` have ended; `frame` is the block's own, an iteration for loops."""
    match owner.deed:
        case Foreach():
            outside = frame.parent or frame
            loop = progress.state.loops[outside.prefix + owner.key]
            status = progress.block_status(block, frame)
            loop.running -= 1
            loop.done += 1
            loop.has_failed |= status is Status.FAILED
            loop.has_timed_out |= status is Status.TIMED_OUT
            continue_foreach(progress, owner, outside, owner.deed)
        case Until():
            _close_pass(progress, block, frame, owner, owner.deed)
        case _:
            _end(progress, owner, frame, progress.block_status(block, frame))


def _close_pass(progress: Progress, block: Block, frame: Frame, owner: Action, deed: Until) -> None:
    """The condition sees the pass that has just ended; a limit that is reached is no failure unless the loop says so."""
    outside = frame.parent or frame
    key = outside.prefix + owner.key
    container: Container = progress.state.containers[key]
    try:
        verdict = deed.decide(progress.scope(frame, key))
    except EvaluationFailed as error:
        body = {"status": Status.FAILED.value, "code": error.code, "error": {"code": error.code, "message": error.message}}
        progress.end(owner, outside, body)
        return
    is_late = progress.at - container.opened_at >= container.timeout_seconds * 1_000_000
    is_at_limit = not verdict.holds and (is_late or container.iteration + 1 >= container.count)
    checked = {"iteration": container.iteration, "satisfied": verdict.holds, "limit_reached": is_at_limit, "why": verdict.explanation}
    progress.emit(EventKind.UNTIL_CHECKED, key, checked)
    if not verdict.holds and not is_at_limit:
        progress.open_block(block, progress.state.frame(key, owner.name, container.iteration, outside))
        return
    status = progress.block_status(block, frame)
    if is_at_limit and deed.fails_at_limit:
        reason = {"code": "LimitReached", "message": f"The loop '{owner.name}' reached its limit before its condition held."}
        progress.end(owner, outside, {"status": Status.FAILED.value, "code": "LimitReached", "error": reason})
        return
    _end(progress, owner, outside, status)


def _end(progress: Progress, action: Action, frame: Frame, status: Status) -> None:
    if status is Status.SUCCEEDED:
        progress.end(action, frame, {"status": status.value})
    else:
        progress.end(action, frame, {"status": status.value, "code": NO_DEPENDENT["code"], "error": NO_DEPENDENT})
