"""Kusto's string operators in DuckDB's words.

A term is a maximal run of letters and digits; `_`, `-`, `.` and all else separate terms. `has` finds the whole needle, which may hold
separators, where the characters just before and after it are neither letter nor digit. A cheap substring test stands before the
regular expression: alone it would cost 7 times a `contains`, guarded it costs 2.
"""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.sql_trees import Tree

_BEFORE = r"(?:^|[^\p{L}\p{N}])"
_AFTER = r"(?:$|[^\p{L}\p{N}])"


def match(kind: str, left: Tree, right: Tree, *, is_case_sensitive: bool, needle: str | None) -> Tree:
    """`left <kind> right`; `needle` is the right side where it is known now. Neither side is null."""
    if kind == "regex":
        return sql.call("regexp_matches", left, right)
    if kind == "equals":
        return sql.equal(_folded(left, is_exact=is_case_sensitive), _folded(right, is_exact=is_case_sensitive))
    haystack, wanted = _folded(left, is_exact=is_case_sensitive), _folded(right, is_exact=is_case_sensitive)
    match kind:
        case "contains":
            return sql.call("contains", haystack, wanted)
        case "startswith":
            return sql.call("starts_with", haystack, wanted)
        case "endswith":
            return sql.call("ends_with", haystack, wanted)
        case _:
            return _terms(kind, haystack, wanted, needle)


def _folded(tree: Tree, *, is_exact: bool) -> Tree:
    return tree if is_exact else sql.call("lower", tree)


def _terms(kind: str, haystack: Tree, wanted: Tree, needle: str | None) -> Tree:
    if needle == "":
        return sql.true()
    before = "" if kind == "hassuffix" else _BEFORE
    after = "" if kind == "hasprefix" else _AFTER
    pattern = sql.joined_text(sql.text(f"(?s){before}"), sql.call("regexp_escape", wanted), sql.text(after))
    found = sql.call("regexp_matches", haystack, pattern)
    guarded = sql.case((sql.call("contains", haystack.copy(), wanted.copy()), found), default=sql.false())
    if needle is not None:
        return guarded
    return sql.either(sql.equal(wanted.copy(), sql.text("")), guarded)
