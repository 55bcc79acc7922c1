"""What others tell a run: stop, what became of a call, that an address it gave away was called.

A message is a row, kept before anybody answers, so it finds the run whether it works, waits or is yet to be loaded. Blocking calls are
for other threads, the awaited ones for the loop's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guardship.errors import GuardshipError, NotFound
from guardship.ids import new_id
from guardship.playbooks.journal import Journal
from guardship.playbooks.webhooks import token_hash

MOST_CALLS_KEPT = 20  # of one address: more say nothing new
CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class AddressCall:
    """A call of an address that an action gave away."""

    sender: str
    headers: Mapping[str, str]
    queries: Mapping[str, str]
    body: Any


class Messages:
    def __init__(self, journal: Journal, wake: Callable[[str], None], wake_soon: Callable[[str], None]) -> None:
        self._journal = journal
        self._wake = wake
        self._wake_soon = wake_soon

    def cancel(self, run_id: str, *, by: str, reason: str) -> bool:
        self._journal.head(run_id)
        return self._deliver(run_id, "", "cancel", {"reason": reason}, new_id("cncl"), by)

    def decide(self, run_id: str, key: str, choice: str, *, by: str) -> bool:
        """What became of a call whose outcome is unknown: done, again, failed. False: somebody was first."""
        if choice not in ("done", "again", "failed"):
            raise GuardshipError(f"{choice} is no answer", hint="say done, again or failed")
        attempt = self._journal.head(run_id).version
        return self._deliver(run_id, key, "approval", {"choice": choice}, f"{key}@{attempt}", by)

    async def call_back(self, token: str, call: AddressCall) -> str:
        """taken, or late, or duplicate: the first call of an address is its answer. Raises NotFound for an address nobody gave away."""
        found = await self._journal.callback(token_hash(token))
        if found is None:
            raise NotFound("callback", "this address")
        if found.has_ended:
            return "late"
        if found.call_count >= MOST_CALLS_KEPT:
            return "duplicate"
        body = {"statusCode": 200, "headers": dict(call.headers), "queries": dict(call.queries), "body": call.body}
        await self._journal.deliver_soon(
            found.run_id, key=found.key, kind=CALLBACK, body=body, dedup_key=new_id("call"), sender=call.sender
        )
        self._wake(found.run_id)
        return "duplicate" if found.call_count else "taken"

    def _deliver(self, run_id: str, key: str, kind: str, body: dict[str, Any], dedup_key: str, sender: str) -> bool:
        is_new = self._journal.deliver(run_id, key=key, kind=kind, body=body, dedup_key=dedup_key, sender=sender)
        self._wake_soon(run_id)
        return is_new
