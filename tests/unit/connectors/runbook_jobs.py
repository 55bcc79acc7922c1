"""Runbook jobs kept in memory, in the shape the connector asks for."""

import asyncio
from dataclasses import dataclass, field

from guardship.errors import NotFound


@dataclass
class KeptJob:
    job_id: str
    runbook: str
    parameters: dict[str, object]
    actor: str
    run_id: str | None
    status: str = "Running"
    exception: str | None = None
    person: str | None = None


@dataclass
class RunbookJobs:
    ends_as: str = "Completed"
    seconds: float = 0.0
    by_name: dict[str, KeptJob] = field(default_factory=dict)

    def create(
        self,
        name: str,
        runbook: str,
        parameters: dict[str, object],
        *,
        run_on: str = "",
        actor: str,
        run_id: str | None,
        person: str | None,
    ) -> KeptJob:
        if name not in self.by_name:
            self.by_name[name] = KeptJob(f"job_{len(self.by_name) + 1}", runbook, parameters, actor, run_id, person=person)
        return self.by_name[name]

    def get(self, name: str) -> KeptJob:
        if name not in self.by_name:
            raise NotFound("job", name)
        return self.by_name[name]

    async def ended(self, name: str, timeout: float) -> KeptJob:
        await asyncio.sleep(self.seconds)
        job = self.get(name)
        job.status = self.ends_as
        if self.ends_as == "Failed":
            job.exception = "there is no VM called web-9"
        return job

    def output(self, name: str) -> str:
        return f"output of {self.get(name).job_id}"
