"""Functions over dynamic values, which DuckDB keeps as JSON text. A list's functions give null for what is no list."""

from collections.abc import Callable

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.conversions import as_json, json_or_null
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DYNAMIC, LONG, STRING


def _parse_json(value: Sql) -> Tree:
    """Text that is no JSON becomes a dynamic string; the empty string becomes null."""
    if value.type is DYNAMIC:
        return value.copy
    source = value.copy
    return sql.case(
        (sql.equal(source, sql.text("")), sql.null(DYNAMIC)),
        (sql.call("json_valid", source.copy()), sql.cast_to(source.copy(), DYNAMIC)),
        default=sql.call("to_json", source.copy()),
    )


def _is_list(value: Sql) -> Tree:
    return sql.equal(sql.call("json_type", value.copy), sql.text("ARRAY"))


def _is_bag(value: Sql) -> Tree:
    return sql.equal(sql.call("json_type", value.copy), sql.text("OBJECT"))


def _items(value: Sql) -> Tree:
    return sql.call("json_extract", value.copy, sql.text("$[*]"))


def _array_length(value: Sql) -> Tree:
    return sql.case((_is_list(value), sql.cast_to(sql.call("json_array_length", value.copy), LONG)))


def _pack_array(*values: Sql) -> Tree:
    return sql.call("json_array", *(json_or_null(value) for value in values))


def _bag_pack(*values: Sql) -> Tree:
    parts: list[Tree] = []
    for at in range(0, len(values), 2):
        parts += [values[at].copy, json_or_null(values[at + 1])]
    return sql.call("json_object", *parts)


def _bag_keys(value: Sql) -> Tree:
    return sql.case((_is_bag(value), sql.call("to_json", sql.call("json_keys", value.copy))))


def _bag_has_key(value: Sql, key: Sql) -> Tree:
    return sql.case((_is_bag(value), sql.call("list_contains", sql.call("json_keys", value.copy), key.copy)))


def _array_concat(*values: Sql) -> Tree:
    lists = [_items(value) for value in values]
    joined = lists[0]
    for other in lists[1:]:
        joined = sql.call("list_concat", joined, other)
    return sql.case((sql.both(*(_is_list(value) for value in values)), sql.call("to_json", joined)))


def _array_slice(value: Sql, start: Sql, end: Sql) -> Tree:
    """Both ends count, from 0, or from the end when negative."""
    size = sql.cast_to(sql.call("json_array_length", value.copy), LONG)

    def place(index: Sql) -> Tree:
        from_end = sql.add(size.copy(), index.copy)
        return sql.case((sql.less(index.copy, sql.number(0)), from_end), default=index.copy)

    first = sql.call("greatest", place(start), sql.number(0))
    last = sql.call("least", place(end), sql.subtract(size.copy(), sql.number(1)))
    piece = sql.call("list_slice", _items(value), sql.add(first, sql.number(1)), sql.add(last, sql.number(1)))
    empty = sql.cast_to(sql.text("[]"), DYNAMIC)
    return sql.case(
        (sql.both(_is_list(value), sql.less(last.copy(), first.copy())), empty),
        (_is_list(value), sql.call("to_json", piece)),
    )


def _array_index_of(value: Sql, wanted: Sql) -> Tree:
    found = sql.call("list_position", _items(value), as_json(wanted))
    return sql.case((_is_list(value), sql.subtract(sql.coalesce(found, sql.number(0)), sql.number(1))))


def _set_has_element(value: Sql, wanted: Sql) -> Tree:
    return sql.case((_is_list(value), sql.call("list_contains", _items(value), as_json(wanted))))


def _strcat_array(value: Sql, delimiter: Sql) -> Tree:
    texts = sql.call("json_extract_string", value.copy, sql.text("$[*]"))
    return sql.case((_is_list(value), sql.call("array_to_string", texts, delimiter.copy)))


def _array_reverse(value: Sql) -> Tree:
    return sql.case((_is_list(value), sql.call("to_json", sql.call("list_reverse", _items(value)))))


def _of_sets(combine: Callable[[Tree, Tree], Tree]) -> Callable[..., Tree]:
    def build(left: Sql, right: Sql) -> Tree:
        combined = sql.call("list_distinct", combine(_items(left), _items(right)))
        return sql.case((sql.both(_is_list(left), _is_list(right)), sql.call("to_json", combined)))

    return build


def _gettype(value: Sql) -> Tree:
    if value.type is not DYNAMIC:
        return sql.text({"real": "double"}.get(value.type.value, value.type.value))
    kind = sql.call("json_type", value.copy)
    names = {"ARRAY": "array", "OBJECT": "dictionary", "VARCHAR": "string", "BOOLEAN": "bool", "DOUBLE": "double", "NULL": "null"}
    named = sql.case(
        *((sql.equal(kind.copy(), sql.text(theirs)), sql.text(ours)) for theirs, ours in names.items()), default=sql.text("long")
    )
    return sql.case((sql.is_null(value.copy), sql.text("null")), default=named)


FUNCTIONS = (
    Function("parse_json", "string|dynamic", DYNAMIC, _parse_json, may_be_null=True, named="{0}"),
    Function("todynamic", "string|dynamic", DYNAMIC, _parse_json, may_be_null=True, named="{0}"),
    Function("toobject", "string|dynamic", DYNAMIC, _parse_json, may_be_null=True, named="{0}"),
    Function("array_length", "dynamic", LONG, _array_length, may_be_null=True),
    Function("pack_array", "any any*", DYNAMIC, _pack_array, never_null=True),
    Function("bag_pack", "pairs", DYNAMIC, _bag_pack, never_null=True),
    Function("pack", "pairs", DYNAMIC, _bag_pack, never_null=True),
    Function("pack_dictionary", "pairs", DYNAMIC, _bag_pack, never_null=True),
    Function("bag_keys", "dynamic", DYNAMIC, _bag_keys, may_be_null=True),
    Function("bag_has_key", "dynamic string", BOOL, _bag_has_key, may_be_null=True),
    Function("array_concat", "dynamic dynamic*", DYNAMIC, _array_concat, may_be_null=True),
    Function("array_slice", "dynamic long long", DYNAMIC, _array_slice, may_be_null=True),
    Function("array_index_of", "dynamic any", LONG, _array_index_of, may_be_null=True),
    Function("array_reverse", "dynamic", DYNAMIC, _array_reverse, may_be_null=True),
    Function("set_has_element", "dynamic any", BOOL, _set_has_element, may_be_null=True),
    Function("set_union", "dynamic dynamic", DYNAMIC, _of_sets(lambda a, b: sql.call("list_concat", a, b)), may_be_null=True),
    Function("set_intersect", "dynamic dynamic", DYNAMIC, _of_sets(lambda a, b: sql.call("list_intersect", a, b)), may_be_null=True),
    Function("strcat_array", "dynamic string", STRING, _strcat_array, may_be_null=True),
    Function("gettype", "any", STRING, _gettype, never_null=True, named="type_{0}"),
)
