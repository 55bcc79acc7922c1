"""Work that is done again and again: a fault is told, and the next round comes all the same."""

import asyncio
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
