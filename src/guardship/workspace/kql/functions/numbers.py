"""Numbers: rounding, powers, bits, and `bin`, which also bins times and timespans."""

from guardship.workspace.kql import sql_trees as sql
from guardship.workspace.kql.functions.entry import Function, Sql
from guardship.workspace.kql.sql_trees import Tree
from guardship.workspace.kql.types import BOOL, DATETIME, REAL, KqlType

_TICKS = {"day": 864_000_000_000, "hour": 36_000_000_000, "minute": 600_000_000, "second": 10_000_000}
_YEAR_ONE = 62_135_596_800_000_000  # microseconds from 0001-01-01, where Kusto's bins begin, to 1970


def _bin(value: Sql, size: Sql) -> Tree:
    """The start of the bin: floor(value / size) * size; null for a size that is not positive."""
    if value.type is DATETIME:
        return _bin_datetime(value, size)
    if value.type is REAL or size.type is REAL:
        width = sql.cast_to(size.copy, REAL)
        floored = sql.multiply(sql.call("floor", sql.divide(sql.cast_to(value.copy, REAL), width)), width.copy())
        return _when_positive(size, floored)
    return _when_positive(size, sql.subtract(value.copy, floor_modulo(value.copy, size.copy)))


def _bin_datetime(value: Sql, size: Sql) -> Tree:
    for unit, ticks in _TICKS.items():
        if size.constant == ticks:
            return sql.call("date_trunc", sql.text(unit), value.copy)
    width = sql.divide_whole(size.copy, sql.number(10))
    micros = sql.add(sql.call("epoch_us", value.copy), sql.number(_YEAR_ONE))
    start = sql.subtract(sql.subtract(micros, floor_modulo(micros.copy(), width)), sql.number(_YEAR_ONE))
    return sql.case((sql.greater(size.copy, sql.number(9)), sql.call("make_timestamp", start)))


def _when_positive(size: Sql, tree: Tree) -> Tree:
    zero = sql.cast_to(sql.small(0), size.type)
    return sql.case((sql.greater(size.copy, zero), tree))


def floor_modulo(value: Tree, width: Tree) -> Tree:
    """The rest that is never negative; `width` must not be zero, so a zero becomes null first."""
    safe = sql.call("nullif", width, sql.small(0))
    return sql.modulo(sql.add(sql.modulo(value, safe), sql.call("abs", safe.copy())), sql.call("abs", safe.copy()))


def _round(value: Sql, digits: Sql | None = None) -> Tree:
    return sql.call("round", value.copy, sql.cast_to(digits.copy, KqlType.INT) if digits else sql.small(0))


def _log(name: str) -> Function:
    """Of nothing positive: NaN, or minus infinity for zero; DuckDB would raise."""

    def build(value: Sql) -> Tree:
        zero = sql.cast_to(sql.small(0), REAL)
        return sql.case(
            (sql.greater(value.copy, zero), sql.call({"log": "ln", "log10": "log10", "log2": "log2"}[name], value.copy)),
            (sql.equal(value.copy, zero.copy()), sql.cast_to(sql.text("-inf"), REAL)),
            (sql.is_not_null(value.copy), sql.cast_to(sql.text("nan"), REAL)),
        )

    return Function(name, "real", REAL, build, named="{0}")


def _sqrt(value: Sql) -> Tree:
    zero = sql.cast_to(sql.small(0), REAL)
    return sql.case((sql.less(value.copy, zero), sql.cast_to(sql.text("nan"), REAL)), default=sql.call("sqrt", value.copy))


def _one(name: str, parameters: str, returns: str, *, named: str = "") -> Function:
    def build(*values: Sql) -> Tree:
        return sql.call(name, *(value.copy for value in values))

    return Function(name, parameters, returns, build, named=named)


def _tohex(value: Sql) -> Tree:
    return sql.call("lower", sql.call("hex", value.copy))


FUNCTIONS = (
    Function("bin", "any any", "bin", _bin, may_be_null=True, named="{0}"),
    Function("floor", "any any", "bin", _bin, may_be_null=True, named="{0}"),
    _one("abs", "number|timespan", "promoted", named="{0}"),
    Function("ceiling", "real", REAL, lambda value: sql.call("ceil", value.copy), named="{0}"),
    Function("round", "real long?", REAL, _round, named="{0}"),
    Function("sqrt", "real", REAL, _sqrt, named="{0}"),
    _one("pow", "real real", REAL, named="{0}"),
    _one("exp", "real", REAL, named="{0}"),
    Function("exp2", "real", REAL, lambda value: sql.call("pow", sql.cast_to(sql.small(2), REAL), value.copy), named="{0}"),
    Function("exp10", "real", REAL, lambda value: sql.call("pow", sql.cast_to(sql.small(10), REAL), value.copy), named="{0}"),
    _log("log"),
    _log("log2"),
    _log("log10"),
    Function("sign", "real", REAL, lambda value: sql.cast_to(sql.call("sign", value.copy), REAL)),
    Function("pi", "", REAL, lambda: sql.call("pi")),
    _one("sin", "real", REAL, named="{0}"),
    _one("cos", "real", REAL, named="{0}"),
    _one("tan", "real", REAL, named="{0}"),
    _one("atan", "real", REAL, named="{0}"),
    _one("atan2", "real real", REAL, named="{0}"),
    _one("radians", "real", REAL),
    _one("degrees", "real", REAL),
    _one("isnan", "real", BOOL),
    _one("isinf", "real", BOOL),
    _one("isfinite", "real", BOOL),
    Function("tohex", "long", "string", _tohex, may_be_null=True, named="{0}"),
)
