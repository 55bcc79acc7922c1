"""Work that is done again and again: a fault is told, and the next round comes all the same."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from guardship.errors import GuardshipError
from guardship.telemetry import get_log

log = get_log("rounds")


async def every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except GuardshipError as error:
            log.warning("rounds.unavailable", work=act.__name__, reason=str(error))
        except Exception:
            log.exception("rounds.fault", work=act.__name__)


async def whenever_due(look: Callable[[], Awaitable[float]], changed: asyncio.Event) -> None:
    """Until cancelled: `look` says how many seconds nothing is due; a change cuts the sleep short, a fault is logged and looked past."""
    while True:
        changed.clear()  # before the look: what changes meanwhile is looked at again
        try:
            pause = await look()
        except GuardshipError as error:
            log.warning("rounds.unavailable", work=look.__name__, reason=str(error))
            pause = 1.0
        except Exception:
            log.exception("rounds.fault", work=look.__name__)
            pause = 1.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await changed.wait()
