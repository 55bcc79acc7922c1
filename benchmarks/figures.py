"""A figure: what was measured, what it should reach, and the plain baseline of the same minutes."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    target: str = ""
    is_met: bool | None = None  # None: no target
    baseline: float | None = None
    baseline_name: str = ""
    note: str = ""

    @property
    def ratio(self) -> str:
        return "" if not self.baseline else f"{self.value / self.baseline:.2f} of {self.baseline_name}"


def at_least(name: str, value: float, unit: str, least: float, *, baseline: float | None = None, of: str = "", note: str = "") -> Figure:
    return Figure(name, value, unit, f">= {least:g}", value >= least, baseline, of, note)


def at_most(name: str, value: float, unit: str, most: float, *, note: str = "") -> Figure:
    return Figure(name, value, unit, f"<= {most:g}", value <= most, note=note)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


HEADS = ("figure", "value", "target", "", "baseline", "ratio", "note")


def table(figures: Sequence[Figure]) -> str:
    """Columns as wide as they need, ready for a terminal or a page."""
    rows = [HEADS, *[_cells(figure) for figure in figures]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(figure: Figure) -> tuple[str, ...]:
    met = "" if figure.is_met is None else "ok" if figure.is_met else "missed"
    baseline = "" if figure.baseline is None else _number(figure.baseline)
    return (figure.name, f"{_number(figure.value)} {figure.unit}", figure.target, met, baseline, figure.ratio, figure.note)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
