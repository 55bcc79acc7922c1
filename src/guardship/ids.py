"""Ids that sort by the time they were made: `run_0195f3c2a8b17c2e9d4a6b1f`.

Random bits are drawn from the kernel for many ids at once; a child made by `fork` begins with none, so that it never repeats its
parent's. Taking the next of an iterator is one step of the interpreter, so threads share the pool without a lock.
"""

import os
import time
from collections.abc import Iterator

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_RANDOM_BYTES = 9
_DRAWN_AT_ONCE = 256

_pool: Iterator[int] = iter(())


def new_id(prefix: str) -> str:
    """48 bits of milliseconds and 72 random bits, in base 32 without look-alikes."""
    made = (time.time_ns() // 1_000_000) << 72 | _random_bits()
    high, low, pairs = made >> 60, made & 0xFFF_FFFF_FFFF_FFFF, _PAIRS
    return (
        f"{prefix}_{pairs[high >> 50]}{pairs[high >> 40 & 1023]}{pairs[high >> 30 & 1023]}{pairs[high >> 20 & 1023]}"
        f"{pairs[high >> 10 & 1023]}{pairs[high & 1023]}{pairs[low >> 50]}{pairs[low >> 40 & 1023]}{pairs[low >> 30 & 1023]}"
        f"{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
    )


def _random_bits() -> int:
    for bits in _pool:
        return bits
    return _refill()


def _refill() -> int:
    """Two threads may do this at once: each uses what it drew, and one of the pools is dropped."""
    global _pool
    drawn = os.urandom(_RANDOM_BYTES * _DRAWN_AT_ONCE)
    fresh = iter([int.from_bytes(drawn[start : start + _RANDOM_BYTES]) for start in range(0, len(drawn), _RANDOM_BYTES)])
    first = next(fresh)
    _pool = fresh
    return first


def _forget() -> None:
    global _pool
    _pool = iter(())


os.register_at_fork(after_in_child=_forget)
