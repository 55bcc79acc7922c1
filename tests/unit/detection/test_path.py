"""The numbers on an attacker's way: only where the order is certain."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.detection.rooms import START

from guardship.detection.path import Movement, steps_of

Told = list[tuple[str, int | None]]  # "a>b" and the minute, if an alert says it


def movement(way: str, minute: int | None) -> Movement:
    source, _, target = way.partition(">")
    return Movement(source, target, None if minute is None else START + timedelta(minutes=minute))


def steps(told: Told) -> Mapping[str, int]:
    found = steps_of([movement(*each) for each in told])
    return {f"{each.source_id}>{each.target_id}": number for each, number in found.items()}


@pytest.mark.parametrize(
    ("told", "numbered"),
    [
        ([], {}),
        ([("address>web", 1)], {"address>web": 1}),
        ([("jump>db", 9), ("address>web", 1), ("web>jump", 5)], {"address>web": 1, "web>jump": 2, "jump>db": 3}),
        ([("one>web", 1), ("other>jump", 2)], {"one>web": 1, "other>jump": 2}),
        ([("one>web", 1), ("other>web", 2)], {"one>web": 1}),
        ([("one>web", 1), ("other>web", 1)], {"one>web": 1, "other>web": 1}),
        ([("address>web", 1), ("web>jump", 2), ("jump>web", 3)], {"address>web": 1, "web>jump": 2}),
        ([("web>jump", 2), ("jump>web", 2)], {}),
        ([("web>jump", 1), ("jump>web", 2)], {"web>jump": 1}),
        ([("web>web", 1)], {}),
        ([("address>web", None), ("web>jump", 5), ("jump>db", 6)], {}),
        ([("address>web", 1), ("web>jump", None)], {"address>web": 1}),
        ([("address>web", 1), ("web>jump", 1)], {"address>web": 1, "web>jump": 2}),
        ([("address>web", 1), ("web>jump", 2), ("web>db", 2)], {"address>web": 1, "web>jump": 2, "web>db": 2}),
        ([("web>jump", 1), ("address>web", 5)], {"web>jump": 1}),
    ],
    ids=[
        "nothing",
        "one movement",
        "told in any order",
        "two addresses, two machines",
        "a second way to the same machine",
        "two ways at one moment",
        "a way back",
        "a circle at one moment",
        "a circle that begins somewhere",
        "a machine and itself",
        "what follows a movement without a time",
        "a movement without a time",
        "one after the other at one moment",
        "two at one moment",
        "the attacker was there before",
    ],
)
def test_a_movement_is_numbered_where_its_place_is_certain(told: Told, numbered: dict[str, int]) -> None:
    assert steps(told) == numbered


PLACES = st.sampled_from("abcdef")
MOVEMENTS = st.lists(st.builds(lambda s, t, m: movement(f"{s}>{t}", m), PLACES, PLACES, st.none() | st.integers(0, 5)), max_size=12)


@given(MOVEMENTS, st.randoms(use_true_random=False))
def test_numbers_follow_time_leave_no_gap_and_do_not_depend_on_the_order_of_telling(movements: list[Movement], random: Random) -> None:
    found = steps_of(movements)
    assert sorted(set(found.values())) == list(range(1, max(found.values(), default=0) + 1))
    for earlier in found:
        for later in found:
            assert earlier.at is not None
            assert later.at is not None
            assert found[earlier] >= found[later] or earlier.at <= later.at
    shuffled = list(movements)
    random.shuffle(shuffled)
    assert steps_of(shuffled) == found


@given(MOVEMENTS)
def test_a_step_leaves_from_a_place_of_an_earlier_step_or_from_where_nothing_had_led_by_then(movements: list[Movement]) -> None:
    found = steps_of(movements)
    for step, number in found.items():
        assert step.at is not None
        known = {place for each, earlier in found.items() if earlier < number for place in (each.source_id, each.target_id)}
        came = [
            each for each in movements if each.target_id == step.source_id != each.source_id and (each.at is None or each.at <= step.at)
        ]
        assert step.source_id in known or not came
        assert step.target_id not in known
