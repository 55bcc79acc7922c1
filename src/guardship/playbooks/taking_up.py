"""Takes up a run that no turn holds: leases it and loads it from its journal.

One that cannot be loaded is given back and tried again at the next sweep, while the others go on.
"""

import asyncio
from dataclasses import dataclass

from guardship.playbooks.definition import Workflow
from guardship.playbooks.firing import Playbooks
from guardship.playbooks.journal import Journal, Leased
from guardship.playbooks.journal_reading import Loaded
from guardship.playbooks.run import Run
from guardship.playbooks.slots import Slots, at_once
from guardship.telemetry import get_log

log = get_log("runner")


@dataclass(frozen=True, slots=True)
class TakenUp:
    run: Run
    workflow: Workflow
    loaded: Loaded
    epoch: int


class TakingUp:
    def __init__(self, journal: Journal, playbooks: Playbooks, slots: Slots, worker: str) -> None:
        self._journal = journal
        self._playbooks = playbooks
        self._slots = slots
        self._worker = worker

    async def take_up(self, run_id: str) -> TakenUp | None:
        """None: somebody else holds it, it has to wait in line, or it cannot be loaded now."""
        leased: Leased | None = None
        head = None
        try:
            head = await asyncio.to_thread(self._journal.head, run_id)
            published = self._playbooks.version(head.playbook_version_id)
            limit = at_once(published.workflow, head.trigger_name)
            if not head.has_begun and not self._slots.take(head.playbook_id, run_id, limit):
                return None
            leased = await self._journal.lease(run_id, self._worker)
            if leased is None:
                return None
            loaded = await asyncio.to_thread(self._journal.load, run_id, published.workflow)
        except Exception:
            log.exception("runner.cannot_load", run_id=run_id)
            if leased is not None:
                await self._journal.give_back(run_id, leased.epoch)
            if head is not None and not head.has_begun:
                self._slots.leave(head.playbook_id, run_id)
            return None
        run = Run(run_id, head.number, head.playbook_id, published.playbook_name, head.priority, loaded.state.correlation)
        return TakenUp(run, published.workflow, loaded, leased.epoch)
