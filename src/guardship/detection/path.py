"""The way an attacker took, as numbers on the movements that alerts tell of.

A movement gets a number where its place in the order is certain: its time is known, and its source was reached before or
nothing says how the attacker came there. The second way to a machine, a way back, and whatever hangs on a movement without
a time have no number. What happens at one moment and does not follow from one another shares a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Movement:
    source_id: str
    target_id: str
    at: datetime | None  # None where no alert says when


def steps_of(movements: Sequence[Movement]) -> dict[Movement, int]:
    """The number of each movement that can be ordered, from 1."""
    known = {each for each in movements if each.source_id != each.target_id}
    timed = sorted((each.at, each.source_id, each.target_id, each) for each in known if each.at is not None)
    reached: set[str] = set()
    steps: dict[Movement, int] = {}
    for _, moment in groupby(timed, key=lambda item: item[0]):
        waiting = [movement for *_, movement in moment]
        while ready := [each for each in waiting if _counts(each, known, reached)]:
            number = max(steps.values(), default=0) + 1
            steps |= dict.fromkeys(ready, number)
            reached |= {place for each in ready for place in (each.source_id, each.target_id)}
            waiting = [each for each in waiting if each not in steps]
    return steps


def _counts(movement: Movement, known: set[Movement], reached: set[str]) -> bool:
    if movement.target_id in reached:
        return False
    return movement.source_id in reached or not any(_leads_to(each, movement) for each in known)


def _leads_to(other: Movement, movement: Movement) -> bool:
    """Whether this may be how the source of the movement was reached."""
    if other.target_id != movement.source_id:
        return False
    return other.at is None or movement.at is None or other.at <= movement.at
