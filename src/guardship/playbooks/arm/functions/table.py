"""All functions that a template may call, by their name in lower case."""

from difflib import get_close_matches

from guardship.errors import counted
from guardship.playbooks.arm.functions import collections, dates, lambdas, networks, places, text
from guardship.playbooks.expressions.entry import Entry

FUNCTIONS: dict[str, Entry] = {
    entry.name.lower(): entry for family in (text, collections, dates, networks, lambdas, places) for entry in family.TABLE
}

# Worked out by the evaluator itself: they look at the names of the template, or only at what they need.
OWN: dict[str, tuple[str, int, int | None]] = {
    name.lower(): (name, least, most)
    for name, least, most in (
        ("parameters", 1, 1),
        ("variables", 1, 1),
        ("lambda", 1, None),
        ("lambdaVariables", 1, 1),
        ("copyIndex", 0, 2),
        ("if", 3, 3),
        ("and", 2, None),
        ("or", 2, None),
        ("coalesce", 1, None),
    )
}

# A deployment alone can tell. `list…` stands for every function of that beginning: listKeys, listSecrets, listCallbackUrl.
DEFERRED: dict[str, tuple[str, int, int | None]] = {
    name.lower(): (name, least, most)
    for name, least, most in (
        ("reference", 1, 3),
        ("references", 1, 2),
        ("providers", 1, 2),
        ("toLogicalZone", 3, 3),
        ("toLogicalZones", 3, 3),
        ("toPhysicalZone", 3, 3),
        ("toPhysicalZones", 3, 3),
    )
}


def deferred(name: str) -> tuple[str, int, int | None] | None:
    folded = name.lower()
    if folded in DEFERRED:
        return DEFERRED[folded]
    return (name, 1, 3) if folded.startswith("list") else None


def nearest_function(name: str) -> str | None:
    names = {folded: entry.name for folded, entry in FUNCTIONS.items()}
    names |= {folded: known[0] for folded, known in (OWN | DEFERRED).items()}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    return names[close[0]] if close else None


def arity_problem(name: str, least: int, most: int | None, given: int) -> str | None:
    if given >= least and (most is None or given <= most):
        return None
    if most is None:
        wanted = f"at least {counted(least, 'argument')}"
    else:
        wanted = counted(least, "argument") if least == most else f"{least} to {counted(most, 'argument')}"
    return f"The template function '{name}' expects {wanted}, it was given {given}."
