"""Wait, and the Expression actions that tell and shift the time."""

from typing import Any

from guardship.playbooks.actions.reading import Reading, field_of
from guardship.playbooks.definition import Immediate, Outcome, Path, Pause
from guardship.playbooks.expressions.arguments import text, whole_number
from guardship.playbooks.expressions.evaluate import Scope
from guardship.playbooks.expressions.functions import dates
from guardship.playbooks.expressions.locales import locale_called
from guardship.playbooks.expressions.times import EPOCH_TICKS, Moment, read_moment
from guardship.playbooks.expressions.values import EvaluationFailed, Value


def read_wait(inputs: Any, path: Path, reading: Reading) -> Pause:
    given = reading.object(inputs, path, what="the inputs of Wait")
    if (field_of(given, "interval") is None) == (field_of(given, "until") is None):
        reading.problem(path, "Wait takes an interval, or until with a timestamp", "InvalidDefinition")
    return Pause(reading.tree(given, path), _due_at)


def _due_at(inputs: Value, now: int) -> int:
    """Microseconds; `{"interval": {"count": 5, "unit": "Minute"}}` or `{"until": {"timestamp": "2018-01-01T00:00:00Z"}}`."""
    given = inputs if isinstance(inputs, dict) else {}
    interval = field_of(given, "interval")
    if isinstance(interval, dict):
        count = whole_number("wait", field_of(interval, "count"))
        here = Moment(now * 10 + EPOCH_TICKS, True)
        return (dates.shifted("wait", here, count, field_of(interval, "unit")).ticks - EPOCH_TICKS) // 10
    until = field_of(given, "until")
    if isinstance(until, dict):
        moment = read_moment("wait", text("wait", field_of(until, "timestamp")), locale_called("en-US"))
        return (moment.ticks - EPOCH_TICKS) // 10
    raise EvaluationFailed("Wait needs an interval or a timestamp.")


def read_expression_action(kind: str, inputs: Any, path: Path, reading: Reading) -> Immediate:
    given = reading.object(inputs if inputs is not None else {}, path, what="the inputs of Expression")
    evaluate = reading.tree(given, path)
    folded = kind.lower()
    if folded not in ("currenttime", "converttimezone", "addtotime", "subtractfromtime", "getfuturetime", "getpasttime"):
        reading.problem(path, f"there is no Expression action of kind {kind}", "UnsupportedAction")

    def perform(scope: Scope) -> Outcome:
        inputs_made = evaluate(scope)
        fields = inputs_made if isinstance(inputs_made, dict) else {}
        return Outcome(inputs_made, {"body": _worked_out(folded, fields, scope)})

    return Immediate(perform)


def _worked_out(kind: str, fields: dict[str, Any], scope: Scope) -> Value:
    form = field_of(fields, "formatString")
    span = (field_of(fields, "interval"), field_of(fields, "timeUnit"))
    match kind:
        case "currenttime":
            return dates.utc_now(scope, form)
        case "converttimezone":
            source, target = field_of(fields, "sourceTimeZone"), field_of(fields, "destinationTimeZone")
            return dates.convert_time_zone(field_of(fields, "baseTime"), source, target, form)
        case "addtotime":
            return dates.add_to_time(field_of(fields, "baseTime"), *span, form)
        case "subtractfromtime":
            return dates.subtract_from_time(field_of(fields, "baseTime"), *span, form)
        case "getfuturetime":
            return dates.get_future_time(scope, *span, form)
        case _:
            return dates.get_past_time(scope, *span, form)
