"""The workflow of a run on Temporal: one activity a turn, and in between it waits for a wake or the next due time.

It carries a run's id and nothing else; the journal has the rest. Temporal's sandbox imports this module again, so that it imports nothing of
ours and does nothing when it is imported.
"""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

TURN = "take_turn"
WORKFLOW = "PlaybookRun"
HEARTBEAT_SECONDS = 30
LONGEST_TURN = timedelta(hours=24)


@workflow.defn(name=WORKFLOW)
class PlaybookRun:
    def __init__(self) -> None:
        self._wakes = 0

    @workflow.signal
    def wake(self) -> None:
        self._wakes += 1

    @workflow.run
    async def run(self, run_id: str) -> None:
        while True:
            seen = self._wakes
            pause: float | None = await workflow.execute_activity(
                TURN,
                run_id,
                start_to_close_timeout=LONGEST_TURN,
                heartbeat_timeout=timedelta(seconds=HEARTBEAT_SECONDS),
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=5)),
            )
            if pause is None:  # the run has ended
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda seen=seen: self._wakes > seen,  # type: ignore[misc]  # a default binds this round's count
                    timeout=None if pause < 0 else timedelta(seconds=pause),
                )
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(run_id)
