"""The answer of a search as a page that a mail can carry: a table, bars or a pie, in plain HTML and SVG."""

from html import escape
from math import cos, pi, sin

from guardship.workspace.search import Answer

PAGES = ("html table", "bar chart", "pie chart")
MOST_ROWS = 1000
MOST_PARTS = 30

_COLOURS = ("#2f6fde", "#d9822b", "#3aa675", "#b34a6c", "#7a63c7", "#8a8f98")
_BAR = 22


def page_of(kind: str, answer: Answer) -> str:
    """`kind` is one of PAGES, in any case."""
    drawn = {"html table": _table, "bar chart": _bars, "pie chart": _pie}[kind.lower()](answer)
    style = "body{font-family:sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:4px 8px;text-align:left}"
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>Results</title><style>{style}</style></head><body>{drawn}</body></html>'
    )


def _table(answer: Answer) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name, _ in answer.columns)
    rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in answer.rows[:MOST_ROWS])
    more = f"<p>{answer.row_count - MOST_ROWS} more rows are not shown.</p>" if answer.row_count > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _text(cell: object) -> str:
    return "" if cell is None else escape(str(cell))


def _parts(answer: Answer) -> list[tuple[str, float]]:
    """A name and a number a row: the first column that is no number, and the first that is one."""
    numbers = [index for index, (_, kind) in enumerate(answer.columns) if kind in ("int", "long", "real", "decimal")]
    names = [index for index in range(len(answer.columns)) if index not in numbers]
    if not numbers:
        return []
    found = []
    for row in answer.rows[:MOST_PARTS]:
        value = row[numbers[0]]
        found.append((str(row[names[0]]) if names else "", float(value) if isinstance(value, int | float) else 0.0))
    return found


def _bars(answer: Answer) -> str:
    parts = _parts(answer)
    most = max((value for _, value in parts), default=0.0) or 1.0
    drawn = [
        f'<text x="0" y="{index * _BAR + 15}">{escape(name[:40])}</text>'
        f'<rect x="260" y="{index * _BAR + 3}" width="{max(value, 0) / most * 400:.1f}" height="{_BAR - 6}" fill="{_COLOURS[0]}"/>'
        f'<text x="670" y="{index * _BAR + 15}">{value:g}</text>'
        for index, (name, value) in enumerate(parts)
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{len(parts) * _BAR + 6}" font-size="13">{"".join(drawn)}</svg>'


def _pie(answer: Answer) -> str:
    parts = [(name, value) for name, value in _parts(answer) if value > 0]
    whole = sum(value for _, value in parts)
    drawn, turned = [], 0.0
    for index, (name, value) in enumerate(parts):
        colour, share = _COLOURS[index % len(_COLOURS)], value / whole
        drawn.append(_slice(turned, turned + share, colour))
        drawn.append(f'<text x="240" y="{index * _BAR + 20}" fill="{colour}">{escape(name[:40])}: {value:g}</text>')
        turned += share
    height = max(220, len(parts) * _BAR + 20)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" font-size="13">{"".join(drawn)}</svg>'


def _slice(start: float, end: float, colour: str) -> str:
    if end - start > 0.9999:
        return f'<circle cx="110" cy="110" r="100" fill="{colour}"/>'
    (x1, y1), (x2, y2) = ((110 + 100 * sin(2 * pi * turn), 110 - 100 * cos(2 * pi * turn)) for turn in (start, end))
    return f'<path d="M110 110 L{x1:.1f} {y1:.1f} A100 100 0 {int(end - start > 0.5)} 1 {x2:.1f} {y2:.1f} Z" fill="{colour}"/>'
