"""The one gate: every ARM write that moves a machine's network passes here, whoever asks for it.

As observer of `cloud/arm` the ledger sorts each write by the effective rules before and after. What isolates is refused, held for a
person, answered from the isolation that is already open, or written down with its way back before the request leaves. A write that ARM
has only taken stays `sent` until its operation is over.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.cloud.arm import Actor, ArmResponse, ArmUnreachable, NetworkWrite, Reader, WriteKind, holds, is_under_way
from guardship.cloud.resource_id import ResourceId
from guardship.containment import consent, guardrails, isolations, way_back
from guardship.containment.consent import APPROVAL_KIND as APPROVAL_KIND
from guardship.containment.consent import WriteHeld as WriteHeld
from guardship.containment.exposure import is_closed, told_way
from guardship.containment.guardrails import Policy
from guardship.containment.isolations import Isolation, Sort, State, WriteRow, WriteState
from guardship.containment.outcomes import OPENED as OPENED
from guardship.containment.outcomes import RELEASED as RELEASED
from guardship.containment.outcomes import Files, Outcomes
from guardship.containment.surroundings import Effect, Surroundings, effects_of, id_in, subnet_of
from guardship.errors import GuardshipError
from guardship.identity import audit
from guardship.storage.database import Database
from guardship.telemetry import get_log

IN_FLIGHT = timedelta(seconds=70)
"""Longer than `cloud/arm` tries to send one request."""

log = get_log("ledger")


class Ledger:
    """One account's ledger. `endpoint` names the cloud in the files that lie beside the isolations; moving an interface to
    `closed_group_id` counts as isolating it, even where other rules had closed it before."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: Policy,
        *,
        folder: Path,
        account: str,
        endpoint: dict[str, str],
        closed_group_id: str,
        is_simulated: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._account = account
        self._is_simulated = is_simulated
        self.closed_group_id = closed_group_id
        self.outcomes = Outcomes(database, clock, Files(folder, endpoint))
        self._seen = threading.local()

    @contextmanager
    def seen(self, around: Surroundings) -> Iterator[None]:
        """What this thread has just read need not be read again for the writes within; their etags hold them to it."""
        self._seen.around = around
        try:
            yield
        finally:
            self._seen.around = None

    def before(self, write: NetworkWrite, arm: Reader) -> ArmResponse | None:
        around = getattr(self._seen, "around", None) or Surroundings(arm)
        effects = effects_of(write, around)
        if (known := self._known_answer(write, around)) is not None:
            log.info("ledger.answered", write_id=write.write_id, resource=str(write.resource_id))
            return known
        isolating = [effect for effect in effects if self._sort(effect) is Sort.ISOLATES and effect.before.machine_id]
        machine_count = len(around.machines(write.resource_id)) if isolating else 0
        machines = {effect.before.machine_id: around.get(effect.before.machine_id) or {} for effect in isolating}
        for effect in effects:
            guardrails.refuse_ourselves(effect, self._policy, isolates=self._sort(effect) is Sort.ISOLATES)
            self._refuse_open_group(effect)
        before = around.get(str(write.resource_id))
        left_behind = self._left_behind(write, effects, around)
        with self._database.transaction() as session:
            held = self._hold(session, write, machines, machine_count)
            if held is None:
                self._write_down(session, write, effects, machines | left_behind, before)
        if held is not None:
            raise held
        return None

    def _refuse_open_group(self, effect: Effect) -> None:
        """Whoever brings an interface to the closed group is told when it would not be closed there."""
        before, after = effect.before, effect.after
        if after.group_id.lower() == self.closed_group_id.lower() != before.group_id.lower():
            name = (before.machine_id or before.interface_id).rpartition("/")[2]
            guardrails.refuse_open_group(after.group_id, name, told_way(after))

    def after(self, write: NetworkWrite, response: ArmResponse, arm: Reader) -> None:
        if response.status >= 500 or response.is_doubtful:
            self.outcomes.not_known(write.write_id, f"ARM answered {response.status}")
        elif response.status >= 300:
            self.outcomes.failed(write.write_id, f"ARM answered {response.status}")
        elif response.write is None:
            body = response.body if isinstance(response.body, dict) else None
            self._done(write.write_id, body, arm)

    def ended(self, write: NetworkWrite, body: dict[str, Any] | None, problem: str | None, arm: Reader) -> None:
        """An operation that has failed may have been carried out all the same: the resource decides, now or when it can be read."""
        if problem is None:
            self._done(write.write_id, body, arm)
            return
        with self._database.reading() as session:
            row = session.get_one(WriteRow, write.write_id)
        try:
            found = Surroundings(arm).get(row.resource_id)
        except GuardshipError as error:
            self.outcomes.not_known(write.write_id, str(error))
            return
        if _has_been_applied(row, found) and (row.method != "PUT" or holds(found, row.body)):
            self._done(write.write_id, found, arm)
        else:
            self.outcomes.failed(write.write_id, problem)

    def failed(self, write: NetworkWrite, error: Exception) -> None:
        if isinstance(error, ArmUnreachable):
            self.outcomes.not_known(write.write_id, str(error))
        else:
            self.outcomes.failed(write.write_id, str(error))

    def reconcile(self, arm: Reader, *, is_starting: bool = False) -> int:
        """Look up in the cloud what became of writes without an answer, and return how many were settled.

        Those that may still be under way are left alone; at the start of the process none of ours is. One that the cloud does not show
        after a minute was not carried out. Raises what the cloud raises; then all stays as it is.
        """
        now = self._clock.now()
        with self._database.reading() as session:
            rows = session.scalars(select(WriteRow).where(WriteRow.state == WriteState.SENT, WriteRow.account == self._account)).all()
        settled = 0
        for row in rows:
            is_late = row.sent_at <= now - IN_FLIGHT
            if not (is_starting or is_late or row.problem):
                continue
            found = Surroundings(arm).get(row.resource_id)
            if is_under_way(found):
                continue
            if _has_been_applied(row, found):
                self._done(row.write_id, found, arm)
            elif is_late:
                self.outcomes.failed(row.write_id, row.problem or "the server stopped before the write was sent")
            else:
                continue
            self._end_of_releases(row)
            settled += 1
        return settled

    def _end_of_releases(self, row: WriteRow) -> None:
        """Whoever waited for the answer has gone: what their release has not put back stays until the next one."""
        with self._database.reading() as session:
            found = isolations.of_write(session, row.write_id) if row.sort == Sort.RELEASES else []
        for isolation in found:
            self.outcomes.release_broke_off(isolation.isolation_id, "an answer of the cloud came too late")

    def _done(self, write_id: str, body: dict[str, Any] | None, arm: Reader) -> None:
        """Done when the machines have been looked at too: what a write has closed can be one interface of several."""
        with self._database.reading() as session:
            row = session.get_one(WriteRow, write_id)
            machines = [each.machine_id for each in isolations.of_write(session, write_id)] if row.sort != Sort.NEITHER else []
        try:
            found = self._open_interfaces(row, machines, body, arm)
        except GuardshipError as error:
            log.warning("ledger.not_looked", write_id=write_id, reason=str(error))
            if row.sort == Sort.ISOLATES:
                self.outcomes.not_known(write_id, f"its machine could not be looked at: {error}")
                return
            found = {}
        self.outcomes.done(write_id, body, open_interfaces=found)

    def _open_interfaces(self, row: WriteRow, machines: list[str], body: dict[str, Any] | None, arm: Reader) -> dict[str, tuple[str, ...]]:
        """What `isolate` has read a moment ago is not read again; what was written is known from the answer."""
        seen = getattr(self._seen, "around", None) if row.sort == Sort.ISOLATES else None
        around = seen or Surroundings(arm)
        if body is not None and body.get("id"):
            around.know([body])
        if len(machines) > 1:
            near = ResourceId.parse(row.resource_id)
            around.machines(near)
            around.interfaces(near)
        looked = {machine_id: around.open_interfaces(machine_id) for machine_id in machines}
        return {machine_id: names for machine_id, names in looked.items() if names is not None}

    def _known_answer(self, write: NetworkWrite, around: Surroundings) -> ArmResponse | None:
        """A second PUT of what an open isolation has already set is answered from there: one isolation, one change."""
        if write.kind is not WriteKind.INTERFACE or write.method != "PUT" or write.body is None:
            return None
        now = around.get(str(write.resource_id))
        if now is None or _placing(now) != _placing(write.body, otherwise=now) or not holds(now, write.body):
            return None
        machine_id = id_in((now.get("properties") or {}).get("virtualMachine")).lower()
        with self._database.reading() as session:
            opened = isolations.open_isolation(session, machine_id)
            if opened is None or opened.state not in (State.ISOLATED, State.APPLYING):
                return None
            if way_back.is_release_key(write.idempotency_key, opened.isolation_id):
                return None
            done = [row for row in isolations.writes_of(session, opened.isolation_id) if row.state == WriteState.DONE]
        is_ours = any(row.resource_id.lower() == str(write.resource_id).lower() for row in done)
        return ArmResponse(status=200, headers={}, body=now) if is_ours else None

    def _left_behind(self, write: NetworkWrite, effects: list[Effect], around: Surroundings) -> dict[str, dict[str, Any]]:
        """A machine that lies in the closed group with no isolation open is taken up again, or nobody would ever release it."""
        closed = self.closed_group_id.lower()
        cut = [each for each in effects if each.before.group_id.lower() == each.after.group_id.lower() == closed]
        machine_id = cut[0].before.machine_id if cut and write.kind is WriteKind.INTERFACE else ""
        if not machine_id:
            return {}
        with self._database.reading() as session:
            is_known = isolations.open_isolation(session, machine_id) is not None
        return {} if is_known else {machine_id: around.get(machine_id) or {}}

    def _hold(self, session: Session, write: NetworkWrite, machines: dict[str, dict[str, Any]], machine_count: int) -> WriteHeld | None:
        now = self._clock.now()
        needed = consent.approval_needed(
            session, write, machines, machine_count=machine_count, policy=self._policy, by=write.actor.who, at=now
        )
        if needed is None:
            return None
        approval, reason = needed
        if approval.detail["write_id"] == write.write_id:
            session.add(self._row(write, Sort.ISOLATES, WriteState.HELD, sorted(machines), None))
        return WriteHeld(approval.approval_id, reason)

    def _write_down(
        self, session: Session, write: NetworkWrite, effects: list[Effect], machines: dict[str, dict[str, Any]], before: Any
    ) -> None:
        sort = self._sort_of_all(effects)
        touched = {effect.before.machine_id: self._sort(effect) for effect in effects if effect.before.machine_id}
        opened = [found for each, theirs in touched.items() if theirs is sort and (found := isolations.open_isolation(session, each))]
        if sort is Sort.NEITHER and any(way_back.is_release_key(write.idempotency_key, each.isolation_id) for each in opened):
            sort = Sort.RELEASES
        lost = None
        if sort is Sort.NEITHER and machines:
            sort, lost = Sort.ISOLATES, isolations.lost_write(session, str(write.resource_id))
        session.add(self._row(write, sort, WriteState.SENT, sorted(touched), before))
        session.flush()
        known = {each.machine_id for each in opened}
        opened += [self._open(session, key, _name(body), write.actor) for key, body in machines.items() if key not in known]
        for isolation in opened:
            if lost is not None and _has_been_applied(lost, before):
                lost.state, lost.problem = WriteState.DONE, None
                isolations.link(session, lost.write_id, isolation.isolation_id)
            isolations.link(session, write.write_id, isolation.isolation_id)
            if sort is Sort.RELEASES and isolation.state != State.DRIFTED:  # whose drift is told until the release is done
                isolation.state = State.RELEASING
            self.outcomes.keep_file(session, isolation)
        self._note_opened_on_the_way(session, write, sort, touched)
        detail = {
            "write_id": write.write_id,
            "sort": sort,
            "machines": sorted(touched),
            "job_id": write.actor.job_id,
            "run_id": write.actor.run_id,
            "reason": write.actor.reason,
        }
        audit.record(
            session, who=write.actor.who, act=f"containment.{sort}", subject=str(write.resource_id), at=self._clock.now(), detail=detail
        )

    def _note_opened_on_the_way(self, session: Session, write: NetworkWrite, sort: Sort, touched: dict[str, Sort]) -> None:
        """A write that cuts some machines can open others: their isolations have drifted."""
        for machine_id in (each for each, theirs in touched.items() if theirs is Sort.RELEASES and sort is not theirs):
            if (isolation := isolations.open_isolation(session, machine_id)) is not None:
                isolation.state = State.DRIFTED
                isolation.problem = f"{write.actor.who} opened a way by {write.resource_id.name}"

    def _open(self, session: Session, machine_id: str, name: str, actor: Actor) -> Isolation:
        now = self._clock.now()
        facts = {
            "account": self._account,
            "is_simulated": self._is_simulated,
            "machine_id": machine_id,
            "machine_name": name,
            "opened_by": asdict(actor),
            "incident_id": actor.incident_id,
            "run_id": actor.run_id,
            "lease_ends_at": now + self._policy.lease,
        }
        return isolations.begin(session, facts, at=now)

    def _sort(self, effect: Effect) -> Sort:
        closed = self.closed_group_id.lower()
        was_there, will_be_there = (each.group_id.lower() == closed for each in (effect.before, effect.after))
        was, will_be = is_closed(effect.before), is_closed(effect.after)
        if will_be_there and not was_there:
            return Sort.ISOLATES
        if was_there and not will_be_there and not will_be:
            return Sort.RELEASES
        if was == will_be:
            return Sort.NEITHER
        return Sort.ISOLATES if will_be else Sort.RELEASES

    def _sort_of_all(self, effects: list[Effect]) -> Sort:
        """A write that isolates anything is held to that; one that only releases is a release."""
        sorts = {self._sort(effect) for effect in effects}
        return Sort.ISOLATES if Sort.ISOLATES in sorts else Sort.RELEASES if Sort.RELEASES in sorts else Sort.NEITHER

    def _row(self, write: NetworkWrite, sort: Sort, state: WriteState, machine_ids: list[str], before: Any) -> WriteRow:
        return WriteRow(
            write_id=write.write_id,
            account=self._account,
            sort=sort,
            state=state,
            kind=write.kind,
            method=write.method,
            resource_id=str(write.resource_id),
            api_version=write.api_version,
            machine_ids=machine_ids,
            before=before,
            before_etag=(before or {}).get("etag"),
            body=write.body,
            actor=asdict(write.actor),
            idempotency_key=write.idempotency_key,
            sent_at=self._clock.now(),
        )


def _placing(interface: dict[str, Any], *, otherwise: dict[str, Any] | None = None) -> tuple[str, str]:
    """What decides over an interface's packets: its group and its subnet."""
    subnet = subnet_of(interface) or (subnet_of(otherwise) if otherwise else "")
    return id_in((interface.get("properties") or {}).get("networkSecurityGroup")).lower(), subnet.lower()


def _has_been_applied(row: WriteRow, now: dict[str, Any] | None) -> bool:
    """Whether the cloud shows what a write asked. What the cloud itself calls failed is not opened, whatever it shows."""
    state = ((now or {}).get("properties") or {}).get("provisioningState")
    if row.sort == Sort.RELEASES and str(state).lower() == "failed":
        return False
    if row.method == "DELETE":
        return now is None
    if now is None:
        return False
    if row.kind != WriteKind.INTERFACE or row.body is None:
        return bool(now.get("etag") != row.before_etag)
    return _placing(now) == _placing(row.body, otherwise=now)


def _name(machine: dict[str, Any]) -> str:
    return str(machine.get("name") or "unknown machine")
