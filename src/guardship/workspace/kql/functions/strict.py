"""Steps the binder puts in by itself between a dynamic and another type; nobody can call them by name."""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.conversions import as_json
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DYNAMIC, REAL, STRING


def _kind_is(value: Sql, *kinds: str) -> Tree:
    return exp_in(sql.call("json_type", value.copy), kinds)


def exp_in(tree: Tree, words: tuple[str, ...]) -> Tree:
    return sql.either(*(sql.equal(tree.copy(), sql.text(word)) for word in words))


def _text(value: Sql) -> Tree:
    """Null for what is no text, so that it is equal to no string, not even the empty one."""
    return sql.case((_kind_is(value, "VARCHAR"), sql.call("json_extract_string", value.copy, sql.text("$"))))


def _number(value: Sql) -> Tree:
    shown = sql.try_cast_to(sql.call("json_extract_string", value.copy, sql.text("$")), REAL)
    return sql.case((_kind_is(value, "UBIGINT", "BIGINT", "DOUBLE", "HUGEINT", "UHUGEINT"), shown))


def _bool(value: Sql) -> Tree:
    return sql.case((_kind_is(value, "BOOLEAN"), sql.try_cast_to(sql.call("json_extract_string", value.copy, sql.text("$")), BOOL)))


STRICT = {
    "string": Function("(text of a dynamic)", "dynamic", STRING, _text, may_be_null=True, keeps_null=True),
    "number": Function("(number of a dynamic)", "dynamic", REAL, _number, may_be_null=True),
    "bool": Function("(bool of a dynamic)", "dynamic", BOOL, _bool, may_be_null=True),
    "to_dynamic": Function("(value as dynamic)", "any", DYNAMIC, as_json),
}
