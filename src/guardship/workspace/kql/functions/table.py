"""The function table: every scalar function and aggregate by its name, and names Kusto has that we refuse."""

from guardship.workspace.kql.functions import aggregates, conversions, dynamics, logic, numbers, strings, times
from guardship.workspace.kql.functions.entry import Aggregate, Function

FUNCTIONS: dict[str, Function] = {
    entry.name: entry for family in (conversions, dynamics, logic, numbers, strings, times) for entry in family.FUNCTIONS
}
AGGREGATES: dict[str, Aggregate] = {entry.name: entry for entry in aggregates.AGGREGATES}

# Settled by the binder itself, because they need the scope or the whole query.
SPECIAL = frozenset({"ago", "now", "ingestion_time", "column_ifexists", "toscalar", "materialize", "pack_all"})

# What a person may be looking for, where the nearest spelling does not say it.
INSTEAD = {
    "makeset": "make_set",
    "makelist": "make_list",
    "argmax": "arg_max",
    "argmin": "arg_min",
    "parsejson": "parse_json",
    "replace": "replace_string or replace_regex",
    "endofday": "startofday(t, 1) for the start of the next day",
    "endofmonth": "startofmonth(t, 1) for the start of the next month",
    "endofweek": "startofweek(t, 1) for the start of the next week",
    "endofyear": "startofyear(t, 1) for the start of the next year",
    "len": "strlen or array_length",
    "length": "strlen or array_length",
    "if": "iff",
    "nullif": "iff",
    "lower": "tolower",
    "upper": "toupper",
    "concat": "strcat",
    "substr": "substring",
}
