"""All functions that a definition may call, by their name in lower case, and the evaluator over them."""

from difflib import get_close_matches

from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Evaluator
from guardship.playbooks.expressions.functions import (
    collections,
    conversion,
    dates,
    logic,
    number_format,
    numbers,
    strings,
    uris,
    workflow,
    xml,
)

FUNCTIONS: dict[str, Entry] = {
    entry.name.lower(): entry
    for family in (strings, logic, collections, conversion, numbers, number_format, dates, workflow, uris, xml)
    for entry in family.TABLE
}

EVALUATOR = Evaluator(FUNCTIONS)


def nearest_function(name: str) -> str | None:
    close = get_close_matches(name.lower(), FUNCTIONS, n=1, cutoff=0.7)
    return FUNCTIONS[close[0]].name if close else None
