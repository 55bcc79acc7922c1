"""Sentences for people: a count and its noun agree."""

import pytest

from guardship.errors import counted


@pytest.mark.parametrize(
    ("count", "noun", "plural", "told"),
    [(1, "machine", "", "1 machine"), (0, "machine", "", "0 machines"), (1, "try", "tries", "1 try"), (2, "entry", "entries", "2 entries")],
)
def test_a_count_and_its_noun_agree(count: int, noun: str, plural: str, told: str) -> None:
    assert counted(count, noun, plural) == told
