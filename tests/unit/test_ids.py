"""Ids: sorted by time, never the same, in threads and in children."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

from guardship.ids import new_id


def test_an_id_has_its_prefix_and_twenty_four_digits_without_look_alikes() -> None:
    prefix, _, digits = new_id("run").partition("_")
    assert prefix == "run"
    assert len(digits) == 24
    assert set(digits) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [made for part in pool.map(lambda _: [new_id("x") for _ in range(2000)], range(8)) for made in part]
    assert len(set(made)) == len(made)


def test_a_forked_child_does_not_repeat_its_parents_random_bits() -> None:
    new_id("x")  # the pool is filled
    reading, writing = os.pipe()
    with warnings.catch_warnings():  # a thread of another test may still end; the child only makes an id
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(writing, new_id("x").encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    told = os.read(reading, 100).decode()
    os.close(reading)
    assert told[-12:] != new_id("x")[-12:], "both would be the next of one pool"
