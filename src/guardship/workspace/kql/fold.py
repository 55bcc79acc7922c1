"""Arithmetic on constants that is done before the query runs, so that `ago(1h) - 5m` is one time the store can prune by."""

from datetime import datetime, timedelta

from guardship.workspace.kql import plan
from guardship.workspace.kql.types import DATETIME, LONG, TIMESPAN, KqlType


def folded(operator: str, left: plan.Expr, right: plan.Expr, kind: KqlType) -> plan.Constant | None:
    """The constant that `left operator right` is, for times, timespans and whole numbers; None to leave it to the store."""
    if not (isinstance(left, plan.Constant) and isinstance(right, plan.Constant)):
        return None
    value = _value(operator, left.value, right.value, kind)
    return None if value is None else plan.Constant(kind, value)


def _value(operator: str, left: object, right: object, kind: KqlType) -> object:
    if kind is DATETIME:
        return _moved(operator, left, right)
    if kind is TIMESPAN and isinstance(left, datetime) and isinstance(right, datetime):
        span = left - right
        return (span.days * 86_400 + span.seconds) * 10_000_000 + span.microseconds * 10
    if kind in (TIMESPAN, LONG) and type(left) is int and type(right) is int:
        result = {"+": left + right, "-": left - right, "*": left * right}.get(operator)
        return result if result is not None and -(2**63) <= result < 2**63 else None
    return None


def _moved(operator: str, left: object, right: object) -> datetime | None:
    if isinstance(right, datetime):
        left, right = right, left
    if not (isinstance(left, datetime) and isinstance(right, int)):
        return None
    try:
        span = timedelta(microseconds=right // 10)
        return left - span if operator == "-" else left + span
    except OverflowError:
        return None
