"""How numbers and dates are written in a locale: `1.234,5` and `dimanche 31 janvier 2016`. The data lie in `locales.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from guardship.playbooks.expressions.values import EvaluationFailed


@dataclass(frozen=True, slots=True)
class Locale:
    name: str
    decimal_point: str
    group: str
    days: tuple[str, ...]  # Monday first
    short_days: tuple[str, ...]
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    patterns: dict[str, str]  # d, D, t, T, M, Y

    @property
    def is_day_first(self) -> bool:
        return self.patterns["d"].lower().startswith("d")


@cache
def _locales() -> dict[str, Locale]:
    with Path(__file__).with_name("locales.toml").open("rb") as file:
        tables: dict[str, dict[str, Any]] = tomllib.load(file)
    return {name: _locale(name, table) for name, table in tables.items()}


def _locale(name: str, table: dict[str, Any]) -> Locale:
    return Locale(
        name=name,
        decimal_point=table["decimal_point"],
        group=table["group"],
        days=tuple(table["days"]),
        short_days=tuple(table["short_days"]),
        months=tuple(table["months"]),
        short_months=tuple(table["short_months"]),
        patterns=table["patterns"],
    )


def locale_called(name: str) -> Locale:
    known = _locales()
    wanted = name.lower()
    if wanted in known:
        return known[wanted]
    language = wanted.split("-")[0]
    for candidate, locale in known.items():
        if language and candidate.startswith(f"{language}-"):
            return locale
    raise EvaluationFailed(f"The locale '{name}' is not known here; known are {', '.join(sorted(filter(None, known)))}.")
