"""Ids that sort by the time they were made: `run_0195f3c2a8b17c2e9d4a6b1f`."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """48 bits of milliseconds and 72 random bits, in base 32 without look-alikes."""
    number = (time.time_ns() // 1_000_000) << 72 | secrets.randbits(72)
    digits: list[str] = []
    for _ in range(24):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return f"{prefix}_{''.join(reversed(digits))}"
