"""How numbers and dates are written in a locale: `1.234,5` and `dimanche 31 janvier 2016`.

What .NET writes in the locales that playbooks use most lies in `locales.toml`; every other locale is taken from CLDR, which .NET follows.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import babel
from babel.numbers import get_currency_symbol, get_territory_currencies

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
    currency: str  # where the number stands: `$n`, `n €`
    noon: tuple[str, str] = ("AM", "PM")  # before it, after it

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
        currency=table["currency"],
    )


@cache
def locale_called(name: str) -> Locale:
    """By its published name, in any case; a language alone means its first country."""
    wanted = name.lower()
    known = _locales()
    if wanted in known:
        return known[wanted]
    own = next((locale for candidate, locale in known.items() if candidate.startswith(f"{wanted}-")), None)
    found = own or _from_cldr(name)
    if found is None:
        raise EvaluationFailed(f"The locale '{name}' is not known.")
    return found


# A CLDR pattern is letters that repeat, quoted text, and signs; .NET means other things by some of the letters.
_CLDR_TOKEN = re.compile(r"'[^']*'|([A-Za-z])\1*|.", re.DOTALL)
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})


def _from_cldr(name: str) -> Locale | None:
    try:
        cldr = babel.Locale.parse(name.replace("-", "_"))
    except (babel.UnknownLocaleError, ValueError, TypeError):
        return None
    days, months = cldr.days["format"], cldr.months["format"]
    dates, times = cldr.date_formats, cldr.time_formats
    month_day, year_month = (_pattern(cldr.datetime_skeletons[key].pattern) for key in ("MMMMd", "yMMMM"))
    symbols = cldr.number_symbols["latn"]
    return Locale(
        name=name.lower(),
        decimal_point=symbols["decimal"],
        group=symbols["group"].translate(_SPACES),
        days=tuple(days["wide"][index] for index in range(7)),
        short_days=tuple(days["abbreviated"][index] for index in range(7)),
        months=tuple(months["wide"][index] for index in range(1, 13)),
        short_months=tuple(months["abbreviated"][index] for index in range(1, 13)),
        patterns={
            "d": _pattern(dates["short"].pattern),
            "D": _pattern(dates["full"].pattern),
            "t": _pattern(times["short"].pattern),
            "T": _pattern(times["medium"].pattern),
            "M": month_day,
            "Y": year_month,
        },
        currency=_currency(cldr),
        noon=tuple(cldr.day_periods["format"]["abbreviated"].get(half, half.upper()) for half in ("am", "pm")),
    )


def _currency(cldr: babel.Locale) -> str:
    """The money of the locale's country, and on which side of the number it stands."""
    used = get_territory_currencies(cldr.territory) if cldr.territory else []
    sign = get_currency_symbol(used[0], cldr) if used else "¤"
    pattern = cldr.currency_formats["standard"]
    return f"{pattern.prefix[0]}n{pattern.suffix[0]}".replace("¤", sign).translate(_SPACES)


def _pattern(written: str) -> str:
    return "".join(_token(match[0]) for match in _CLDR_TOKEN.finditer(written.translate(_SPACES))).strip()


def _token(token: str) -> str:
    match token[0]:
        case "y":
            return "yyyy"  # .NET writes the year in full, also where CLDR's short form has two figures
        case "E" | "c":
            return "dddd" if len(token) == 4 else "ddd"
        case "L":
            return "M" * len(token)
        case "a" | "b" | "B":
            return "tt"
        case "k" | "K":
            return ("H" if token[0] == "k" else "h") * len(token)
        case "G" | "z" | "v":
            return ""
        case _:
            return token
