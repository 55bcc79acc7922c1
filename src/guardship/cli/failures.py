"""How a command tells what went wrong: one sentence, the way out, and an exit code; never a trace for what we know."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pydantic import ValidationError

from guardship.errors import Fault, GuardshipError

P = ParamSpec("P")
R = TypeVar("R")

_CODES = {Fault.BAD_INPUT: 2, Fault.NOT_FOUND: 3, Fault.CONFLICT: 4, Fault.FORBIDDEN: 5, Fault.UNAVAILABLE: 6}


def tell_failures(command: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except GuardshipError as error:
            print(f"guardship: {error.message}", file=sys.stderr)
            if error.hint:
                print(f"  {error.hint}", file=sys.stderr)
            sys.exit(_CODES.get(error.fault, 1))
        except ValidationError as error:
            for each in error.errors():
                name = ".".join(str(part) for part in each["loc"])
                print(f"guardship: setting {name}: {each['msg']}", file=sys.stderr)
            sys.exit(2)

    return wrapped
