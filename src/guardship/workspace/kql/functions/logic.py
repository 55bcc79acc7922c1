"""Choice and absence. A condition that is null chooses as if it were false."""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DYNAMIC, STRING


def _iff(condition: Sql, when_true: Sql, when_false: Sql) -> Tree:
    return sql.case((condition.copy, when_true.copy), default=when_false.copy)


def _case(*values: Sql) -> Tree:
    pairs = [(values[at].copy, values[at + 1].copy) for at in range(0, len(values) - 1, 2)]
    return sql.case(*pairs, default=values[-1].copy)


def _coalesce(*values: Sql) -> Tree:
    """The first that is not null; of strings, the first that is not empty."""
    if values[0].type is STRING:
        return sql.coalesce(*(sql.call("nullif", value.copy, sql.text("")) for value in values))
    return sql.coalesce(*(value.copy for value in values))


def _isnull(value: Sql) -> Tree:
    if value.type is STRING:
        return sql.false()
    absent = sql.is_null(value.copy)
    if value.type is DYNAMIC:
        return sql.either(absent, sql.equal(sql.call("json_type", value.copy), sql.text("NULL")))
    return absent


def _isnotnull(value: Sql) -> Tree:
    return sql.negated(_isnull(value))


def _extreme(name: str) -> Function:
    def build(*values: Sql) -> Tree:
        return sql.call({"max_of": "greatest", "min_of": "least"}[name], *(value.copy for value in values))

    return Function(name, "ordered ordered*", "same", build)


FUNCTIONS = (
    Function("not", "bool", BOOL, lambda value: sql.negated(value.copy)),
    Function("iff", "bool same same", "same", _iff),
    Function("iif", "bool same same", "same", _iff),
    Function("case", "case", "same", _case),
    Function("coalesce", "same same*", "same", _coalesce, may_be_null=True),
    Function("isnull", "any", BOOL, _isnull, never_null=True),
    Function("isnotnull", "any", BOOL, _isnotnull, never_null=True),
    _extreme("max_of"),
    _extreme("min_of"),
)
