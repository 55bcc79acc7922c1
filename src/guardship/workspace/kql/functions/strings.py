"""String functions. Positions count characters from 0; a result is never null."""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.conversions import to_string
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import DYNAMIC, LONG, STRING


def _strcat(*values: Sql) -> Tree:
    return sql.joined_text(*(to_string(value) for value in values))


def _strcat_delim(delimiter: Sql, *values: Sql) -> Tree:
    return sql.call("concat_ws", delimiter.copy, *(to_string(value) for value in values))


def _substring(source: Sql, start: Sql, length: Sql | None = None) -> Tree:
    """A negative start counts from the end; a length that is not positive gives the empty string."""
    from_end = sql.call("greatest", sql.add(sql.call("length", source.copy), start.copy), sql.number(0))
    first = sql.case((sql.less(start.copy, sql.number(0)), from_end), default=start.copy)
    position = sql.add(first, sql.number(1))
    if length is None:
        return sql.call("substring", source.copy, position)
    return sql.call("substring", source.copy, position, sql.call("greatest", length.copy, sql.number(0)))


def _split(source: Sql, delimiter: Sql, index: Sql | None = None) -> Tree:
    pieces = sql.call("string_split", source.copy, delimiter.copy)
    if index is None:
        return sql.call("to_json", pieces)
    at = sql.call("list_extract", pieces, sql.add(index.copy, sql.number(1)))
    return sql.case(
        (sql.is_null(at), sql.cast_to(sql.text("[]"), DYNAMIC)),
        default=sql.call("to_json", sql.call("list_value", at.copy())),
    )


def _extract(pattern: Sql, group: Sql, source: Sql) -> Tree:
    return sql.call("regexp_extract", source.copy, pattern.copy, sql.small(int(str(group.constant))))


def _extract_all(pattern: Sql, source: Sql) -> Tree:
    found = sql.call("regexp_extract_all", source.copy, pattern.copy, sql.small(1))
    return sql.case((sql.greater(sql.call("len", found), sql.number(0)), sql.call("to_json", found.copy())))


def _replace_regex(source: Sql, pattern: Sql, rewrite: Sql) -> Tree:
    return sql.call("regexp_replace", source.copy, pattern.copy, rewrite.copy, sql.text("g"))


def _trim(pattern: Sql, source: Sql) -> Tree:
    return _cut(_cut(source.copy, pattern, at_start=True), pattern, at_start=False)


def _cut(source: Tree, pattern: Sql, *, at_start: bool) -> Tree:
    opening, closing = ("^(?:", ")") if at_start else ("(?:", ")$")
    anchored = sql.joined_text(sql.text(opening), pattern.copy, sql.text(closing))
    return sql.call("regexp_replace", source, anchored, sql.text(""))


def _indexof(source: Sql, wanted: Sql) -> Tree:
    return sql.subtract(sql.call("instr", source.copy, wanted.copy), sql.number(1))


def _isempty(value: Sql) -> Tree:
    if value.type is STRING:
        return sql.equal(value.copy, sql.text(""))
    return sql.equal(to_string(value), sql.text(""))


def _isnotempty(value: Sql) -> Tree:
    return sql.differ(to_string(value), sql.text(""))


def _strcmp(left: Sql, right: Sql) -> Tree:
    return sql.case(
        (sql.less(left.copy, right.copy), sql.number(-1)),
        (sql.equal(left.copy, right.copy), sql.number(0)),
        default=sql.number(1),
    )


def _one(name: str, kusto: str, parameters: str, returns: str) -> Function:
    def build(*values: Sql) -> Tree:
        return sql.call(name, *(value.copy for value in values))

    return Function(kusto, parameters, returns, build)


FUNCTIONS = (
    Function("strlen", "string", LONG, lambda s: sql.call("length", s.copy), named="strlen_{0}"),
    _one("lower", "tolower", "string", STRING),
    _one("upper", "toupper", "string", STRING),
    _one("reverse", "reverse", "string", STRING),
    _one("replace", "replace_string", "string string string", STRING),
    _one("sha256", "hash_sha256", "text", STRING),
    _one("md5", "hash_md5", "text", STRING),
    _one("sha1", "hash_sha1", "text", STRING),
    Function("strcat", "any any*", STRING, _strcat, never_null=True),
    Function("strcat_delim", "string any any*", STRING, _strcat_delim, never_null=True),
    Function("substring", "string long long?", STRING, _substring, may_be_null=True),
    Function("split", "string string long?", "dynamic", _split, named="{0}"),
    Function("extract", "string long string", STRING, _extract, may_be_null=True, constants=(0, 1), patterns=(0,)),
    Function("extract_all", "one_group string", "dynamic", _extract_all, may_be_null=True, patterns=(0,)),
    Function("replace_regex", "string string string", STRING, _replace_regex, constants=(1, 2), patterns=(1,)),
    Function("trim", "string string", STRING, _trim, constants=(0,), patterns=(0,)),
    Function("trim_start", "string string", STRING, lambda p, s: _cut(s.copy, p, at_start=True), constants=(0,), patterns=(0,)),
    Function("trim_end", "string string", STRING, lambda p, s: _cut(s.copy, p, at_start=False), constants=(0,), patterns=(0,)),
    Function("indexof", "text text", LONG, _indexof),
    Function("isempty", "any", "bool", _isempty, never_null=True),
    Function("isnotempty", "any", "bool", _isnotempty, never_null=True),
    Function("notempty", "any", "bool", _isnotempty, never_null=True),
    Function("strcmp", "string string", LONG, _strcmp),
    Function("strrep", "string long", STRING, lambda s, n: sql.call("repeat", s.copy, n.copy), may_be_null=True),
    Function("string_size", "string", LONG, lambda s: sql.call("octet_length", sql.call("encode", s.copy)), named="string_size_{0}"),
)
