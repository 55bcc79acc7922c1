"""The names Kusto gives columns that were not named: `d.a.b` is `d_a_b`, `bin(T, 1h)` is `T`, `dcount(x)` is `dcount_x`."""

from itertools import count

from guardship.workspace.kql import syntax
from guardship.workspace.kql.functions.table import AGGREGATES, FUNCTIONS


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first of `wanted1`, `wanted2` that nobody has."""
    if wanted not in taken:
        return wanted
    return next(name for number in count(1) if (name := f"{wanted}{number}") not in taken)


def column_number(taken: set[str]) -> str:
    """The name of a column that has none: `Column1`, `Column2`."""
    return next(name for number in count(1) if (name := f"Column{number}") not in taken)


def result_name(expression: syntax.Argument) -> str | None:
    """The name that follows from the expression; None where it says nothing."""
    match expression:
        case syntax.Name(name=name):
            return name
        case syntax.Path(target=target, name=name):
            inner = result_name(target)
            return f"{inner}_{name}" if inner else name
        case syntax.Index(target=target, index=index):
            inner = result_name(target)
            shown = index.value if isinstance(index, syntax.Literal) and isinstance(index.value, str | int) else ""
            return f"{inner}_{shown}" if inner else None
        case syntax.Call():
            return _call_name(expression)
        case _:
            return None


def _call_name(node: syntax.Call) -> str | None:
    if node.name == "column_ifexists" and node.arguments and isinstance(node.arguments[0], syntax.Literal):
        return str(node.arguments[0].value)
    entry = AGGREGATES.get(node.name) or FUNCTIONS.get(node.name)
    if entry is None or not entry.named:
        return None
    parts = [_part(argument) for argument in node.arguments]
    return entry.named.format(*parts, "", "") or None


def _part(argument: syntax.Argument) -> str:
    if isinstance(argument, syntax.Literal):
        return "" if argument.value is None else str(argument.value).replace(".", "_")
    if isinstance(argument, syntax.Call) and argument.name in AGGREGATES and AGGREGATES[argument.name].picks_row:
        return ""
    return result_name(argument) or ""
