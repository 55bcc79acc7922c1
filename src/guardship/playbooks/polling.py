"""Triggers that ask somebody, or tell somebody our address.

Of an answer, 200 with a body fires and 202 or an empty one does not; `Retry-After` says when to ask again, `Location` where.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from guardship.clock import Clock, to_micros
from guardship.errors import Fault, GuardshipError
from guardship.ids import new_id
from guardship.playbooks.calls import Caller, Came
from guardship.playbooks.definition import Outside, Trigger
from guardship.playbooks.events import Call
from guardship.playbooks.firing import Published
from guardship.playbooks.run import Run
from guardship.playbooks.trigger_scope import trigger_scope

ASK_SECONDS = 120


class NotSubscribed(GuardshipError):
    code = "playbooks.not_subscribed"
    fault = Fault.CONFLICT


class NotAsked(GuardshipError):
    """What is asked again and again did not answer as it should; the next moment tries again."""

    code = "playbooks.not_asked"
    fault = Fault.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: whether it fires, with what, and when and where to ask again."""

    fires: bool = True
    outputs: Mapping[str, Any] = field(default_factory=dict)
    again_at: datetime | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)


class Asking:
    def __init__(self, caller: Caller, clock: Clock, address_of: Callable[[str, str], str]) -> None:
        """`address_of` gives the signed address of a playbook's trigger."""
        self._caller = caller
        self._clock = clock
        self._address_of = address_of

    async def ask(self, published: Published, trigger: Trigger, cursor: Mapping[str, Any]) -> Asked:
        assert trigger.call is not None
        poll = cursor.get("location")
        came = await self._send(published, trigger, trigger.call, {}, poll=str(poll) if poll else None)
        if came.failure is not None:
            raise NotAsked(came.failure.message)
        headers = {name.lower(): value for name, value in came.headers.items()}
        pause = headers.get("retry-after", "")
        again_at = self._clock.now() + timedelta(seconds=float(pause)) if pause.isdigit() else None
        following = {"location": headers["location"]} if headers.get("location") else {}
        if came.status_code == 202 or (came.status_code == 200 and came.body in (None, "", [], {})):
            return Asked(False, again_at=again_at, cursor=following)
        if came.status_code != 200:
            raise NotAsked(f"asking was answered with status {came.status_code}")
        outputs = {"statusCode": came.status_code, "headers": came.headers, "body": came.body}
        return Asked(True, outputs, again_at, following)

    async def fetch(self, published: Published, trigger: Trigger, called: Mapping[str, Any]) -> Asked:
        """After a call of our address: what the connector has for us now."""
        assert trigger.fetch is not None
        came = await self._send(published, trigger, trigger.fetch, called)
        if came.failure is not None:
            raise NotAsked(came.failure.message)
        outputs = {"statusCode": came.status_code, "headers": came.headers, "body": came.body}
        return Asked(came.status_code == 200 and came.body not in (None, "", [], {}), outputs)

    async def subscribe(self, published: Published, trigger: Trigger) -> None:
        assert trigger.call is not None
        came = await self._send(published, trigger, trigger.call, {})
        if came.failure is not None or not 200 <= came.status_code < 300:
            reason = came.failure.message if came.failure else f"status {came.status_code}"
            raise NotSubscribed(f"the subscription of {trigger.name} was not taken: {reason}")

    async def unsubscribe(self, published: Published, trigger: Trigger) -> None:
        """As far as somebody still listens there; the playbook is off in any case."""
        if trigger.unsubscribe is not None:
            await self._send(published, trigger, trigger.unsubscribe, {})

    async def _send(
        self, published: Published, trigger: Trigger, deed: Outside, outputs: Mapping[str, Any], *, poll: str | None = None
    ) -> Came:
        now = self._clock.now()
        address = self._address_of(published.playbook_id, trigger.name)
        inputs = deed.inputs(trigger_scope(published.workflow, trigger, outputs, now, callback=address))
        nonce = hashlib.sha256(json.dumps([published.playbook_id, trigger.name, new_id("ask")]).encode()).hexdigest()
        deadline_at = to_micros(now) + ASK_SECONDS * 1_000_000
        operation = deed.operation
        call = Call(trigger.name, "", deed.connector, operation.name, inputs, 1, nonce, deadline_at, operation.has_effect, poll=poll)
        run = Run("", 0, published.playbook_id, published.playbook_name, 10, {})
        return await self._caller.carry_out_deed(run, deed, call)
