"""All functions that a definition may call, by their name in lower case, and the evaluator over them."""

from difflib import get_close_matches

from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.evaluate import Evaluator
from guardship.playbooks.expressions.functions import collections, conversion, dates, logic, numbers, strings, uris, workflow

FUNCTIONS: dict[str, Entry] = {
    entry.name.lower(): entry
    for family in (strings, logic, collections, conversion, numbers, dates, workflow, uris)
    for entry in family.TABLE
}

# Documented, not built yet: a definition that names one is refused with that reason.
NOT_BUILT = frozenset({"xml", "xpath"})

EVALUATOR = Evaluator(FUNCTIONS)


def nearest_function(name: str) -> str | None:
    close = get_close_matches(name.lower(), FUNCTIONS, n=1, cutoff=0.7)
    return FUNCTIONS[close[0]].name if close else None
