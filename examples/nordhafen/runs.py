"""Plays the story's runs: the real engine on a clock that stands still, and connectors that answer what the story says.

An answer takes as long as the story says because it moves the clock; nobody waits for it.
"""

import asyncio
import time
from datetime import timedelta
from typing import Any

from examples.nordhafen.story import Facts, Story
from sqlalchemy import update

from guardship.clock import HeldClock
from guardship.connectors.azure_automation import AzureAutomation
from guardship.connectors.containment import ContainmentConnector
from guardship.connectors.http import Http
from guardship.connectors.mail import Mail, MailServer
from guardship.connectors.published_connector import PublishedConnector
from guardship.connectors.published_operations import shipped
from guardship.ids import new_id
from guardship.playbooks.connections import Connections
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse, ConnectorSet, Operation, TriggerOffer
from guardship.playbooks.fault_points import FaultPoints
from guardship.playbooks.firing import Firing
from guardship.playbooks.journal import Journal
from guardship.playbooks.journal_tables import RUN
from guardship.playbooks.library import Library
from guardship.playbooks.payloads import Payloads
from guardship.playbooks.run_rows import RunRows
from guardship.playbooks.runner import Runner
from guardship.playbooks.state import name_of
from guardship.storage.blobs import Blobs
from guardship.storage.database import Database
from guardship.storage.layout import Layout
from guardship.storage.vault import Vault

WAIT_SECONDS = 20.0


class StoryConnector:
    """Offers what the real connector of the name offers, and answers from the story."""

    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, name: str, operations: tuple[Operation, ...], clock: HeldClock, answers: Facts) -> None:
        self.name = name
        self.title = name
        self.operations = operations
        self._clock = clock
        self._answers = answers

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        answer = self._answers[name_of(context.action_key)]
        self._clock.advance(timedelta(seconds=answer["seconds"]))
        machine = request.segments.get("machine") or ((request.body or {}).get("properties") or {}).get("parameters", {}).get("VMName", "")
        return ConnectorResponse(answer.get("status", 200), {"Content-Type": "application/json"}, _filled(answer.get("body"), machine))


def _filled(value: Any, machine: str) -> Any:
    match value:
        case str():
            return value.replace("{machine}", machine).replace("{job}", "5f0c2a6e-2d0b-4c1e-9a57-0d5f6f1b2294")
        case list():
            return [_filled(each, machine) for each in value]
        case dict():
            return {name: _filled(each, machine) for name, each in value.items()}
        case _:
            return value


class Playing:
    """Imports the story's playbooks and runs them, each run at its moment."""

    def __init__(self, story: Story, database: Database, layout: Layout) -> None:
        self._story = story
        self._database = database
        self._vault = Vault.open(layout.vault_key)
        self._blobs = Blobs(layout.blobs)
        self.playbook_ids: dict[str, str] = {}

    def publish(self, name: str, document: str, *, by: str) -> str:
        """Import and publish a playbook two days before the night; gives its id."""
        library = self._library(HeldClock(self._story.now - timedelta(days=2)), {})
        draft = library.import_definition(name, document, by=by)[0]
        library.publish(draft.playbook_id, by=by)
        self.playbook_ids[name] = draft.playbook_id
        return draft.playbook_id

    def run(self, facts: Facts, alert: Facts) -> str:
        """Run to its end, or to where it waits; gives its id, under the number the story knows it by."""
        run_id = asyncio.run(self._run(facts, alert))
        with self._database.transaction() as session:
            session.execute(update(RUN).where(RUN.c.run_id == run_id).values(number=facts["number"]))
        return run_id

    async def _run(self, facts: Facts, alert: Facts) -> str:
        clock = HeldClock(self._story.at(facts["at"]))
        answers = self._story.facts["answers"] | facts.get("answers", {})
        library = self._library(clock, answers)
        journal = Journal(self._database, self._blobs, Payloads(self._vault), clock, FaultPoints())
        connections = Connections(self._database, self._vault, clock)
        runner = Runner(journal, library, self._connectors(clock, answers), connections, clock, FaultPoints())
        await runner.start()
        try:
            firing = Firing(
                self.playbook_ids[facts["playbook"]],
                None,
                alert["triggers"]["security_center_alert"] | ({"CompromisedEntity": facts["machine"]} if "machine" in facts else {}),
                alert_id=alert["alert_id"],
                incident_id=alert["incident_id"],
                by=facts["by"],
            )
            run_id = (await runner.accept_soon(firing, dedup_key=new_id("seed"))).run_id
            if facts.get("waits"):
                await self._until_waiting(run_id)
            else:
                await asyncio.wait_for(runner.wait_ended(run_id), WAIT_SECONDS)
            return run_id
        finally:
            await runner.stop()

    async def _until_waiting(self, run_id: str) -> None:
        rows, deadline = RunRows(self._database), time.monotonic() + WAIT_SECONDS
        while rows.run(run_id).status != "Waiting":
            if time.monotonic() > deadline:
                raise TimeoutError(f"the run does not wait: {rows.run(run_id).status}")
            await asyncio.sleep(0.02)

    def _library(self, clock: HeldClock, answers: Facts) -> Library:
        return Library(self._database, self._connectors(clock, answers), clock)

    def _connectors(self, clock: HeldClock, answers: Facts) -> ConnectorSet:
        offered = (
            ("azureautomation", AzureAutomation.operations),
            ("containment", ContainmentConnector.operations),
            ("http", Http.operations),
            ("office365", Mail("office365", MailServer()).operations),
        )
        return ConnectorSet(
            [
                PublishedConnector(shipped()["ascalert"]),
                PublishedConnector(shipped()["azuresentinel"]),
                *(StoryConnector(*offer, clock, answers) for offer in offered),
            ]
        )
