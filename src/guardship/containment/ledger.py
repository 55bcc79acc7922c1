"""The one gate: every ARM write that moves a machine's network passes here, whoever asks for it.

As observer of `cloud/arm` the ledger sorts each write by the effective rules before and after. What isolates is refused, held for a
person, answered from the isolation that is already open, or written down with its way back before the request leaves.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.cloud.arm import Actor, ArmResponse, NetworkWrite, Reader, WriteKind
from guardship.containment import guardrails, isolations
from guardship.containment.exposure import is_closed
from guardship.containment.guardrails import Policy
from guardship.containment.isolations import Isolation, Sort, State, WriteRow, WriteState
from guardship.containment.surroundings import Effect, Surroundings, addresses_of, effects_of, id_in, subnet_of
from guardship.errors import Fault, GuardshipError
from guardship.identity import approvals, audit
from guardship.storage import outbox
from guardship.storage.database import Database
from guardship.telemetry import get_log

OPENED = "IsolationOpened"
RELEASED = "IsolationReleased"
APPROVAL_KIND = "containment.isolate"

log = get_log("ledger")


class WriteHeld(GuardshipError):
    """The write waits for a person; `approval_id` says where."""

    code = "containment.held"
    fault = Fault.CONFLICT

    def __init__(self, approval_id: str, text: str) -> None:
        super().__init__(f"{text}: a person has to approve", hint=f"approval {approval_id} waits under Containment")
        self.approval_id = approval_id


class Ledger:
    """One account's ledger. `endpoint` names the cloud in the files that lie beside the isolations."""

    def __init__(self, database: Database, clock: Clock, policy: Policy, *, folder: Path, account: str, endpoint: dict[str, str]) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._folder = folder
        self._account = account
        self._endpoint = endpoint

    def before(self, write: NetworkWrite, arm: Reader) -> ArmResponse | None:
        around = Surroundings(arm)
        effects = effects_of(write, around)
        if (known := self._known_answer(write, around)) is not None:
            log.info("ledger.answered", write_id=write.write_id, resource=str(write.resource_id))
            return known
        isolating = [effect for effect in effects if _sort(effect) is Sort.ISOLATES and effect.before.machine_id]
        machines = {effect.before.machine_id: around.get(effect.before.machine_id) or {} for effect in isolating}
        for effect in isolating:
            guardrails.refuse_ourselves(_name(machines[effect.before.machine_id]), addresses_of(effect.body), self._policy)
        machine_count = len(around.machines(write.resource_id)) if isolating else 0
        with self._database.transaction() as session:
            held = self._hold(session, write, machines, machine_count)
            if held is None:
                self._write_down(session, write, effects, machines, around.get(str(write.resource_id)))
        if held is not None:
            raise held
        return None

    def after(self, write: NetworkWrite, response: ArmResponse, arm: Reader) -> None:
        if response.status >= 300:
            self._fail(write.write_id, f"ARM answered {response.status}")
            return
        body = response.body if isinstance(response.body, dict) else None
        with self._database.transaction() as session:
            self._complete(session, session.get_one(WriteRow, write.write_id), body)

    def failed(self, write: NetworkWrite, error: Exception) -> None:
        self._fail(write.write_id, str(error))

    def reconcile(self, arm: Reader) -> int:
        """After a crash: writes that were sent and not answered are looked up in the cloud. Returns how many there were."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(WriteRow)
                .join(Isolation, Isolation.isolation_id == WriteRow.isolation_id, isouter=True)
                .where(WriteRow.state == WriteState.SENT, (Isolation.account == self._account) | (WriteRow.isolation_id.is_(None)))
            ).all()
        for row in rows:
            now = Surroundings(arm).get(row.resource_id)
            if now is not None and _has_been_applied(row, now):
                with self._database.transaction() as session:
                    self._complete(session, session.get_one(WriteRow, row.write_id), now)
            else:
                self._fail(row.write_id, "the server stopped before the write was sent")
        return len(rows)

    def _known_answer(self, write: NetworkWrite, around: Surroundings) -> ArmResponse | None:
        """A second PUT of what an open isolation has already set is answered from there: one isolation, one change."""
        if write.kind is not WriteKind.INTERFACE or write.method != "PUT" or write.body is None:
            return None
        now = around.get(str(write.resource_id))
        if now is None or _placing(now) != _placing(write.body, otherwise=now):
            return None
        machine_id = id_in((now.get("properties") or {}).get("virtualMachine")).lower()
        with self._database.reading() as session:
            opened = isolations.open_isolation(session, machine_id)
            if opened is None or opened.state not in (State.ISOLATED, State.APPLYING):
                return None
            done = [row for row in isolations.writes_of(session, opened.isolation_id) if row.state == WriteState.DONE]
        is_ours = any(row.resource_id.lower() == str(write.resource_id).lower() for row in done)
        return ArmResponse(status=200, headers={}, body=now) if is_ours else None

    def _hold(self, session: Session, write: NetworkWrite, machines: dict[str, dict[str, Any]], machine_count: int) -> WriteHeld | None:
        now = self._clock.now()
        for machine_id, body in machines.items():
            if isolations.open_isolation(session, machine_id) is not None:
                continue
            concern = guardrails.concern_about(
                session, machine_id, _name(body), body.get("tags") or {}, machine_count=machine_count, policy=self._policy, at=now
            )
            if concern is None or approvals.use(session, kind=APPROVAL_KIND, subject=machine_id, at=now) is not None:
                continue
            approval = approvals.ask(
                session,
                kind=APPROVAL_KIND,
                subject=machine_id,
                title=f"Isolate {_name(body)}: {concern.text}",
                detail={
                    "write_id": write.write_id,
                    "machine": _name(body),
                    "concern": concern.code,
                    "incident_id": write.actor.incident_id,
                },
                by=_who(write.actor),
                at=now,
            )
            if approval.detail["write_id"] == write.write_id:
                session.add(self._row(write, Sort.ISOLATES, WriteState.HELD, [machine_id], None))
            return WriteHeld(approval.approval_id, concern.text)
        return None

    def _write_down(
        self, session: Session, write: NetworkWrite, effects: list[Effect], machines: dict[str, dict[str, Any]], before: Any
    ) -> None:
        sort = _sort_of_all(effects)
        touched = sorted({effect.before.machine_id for effect in effects if effect.before.machine_id})
        row = self._row(write, sort, WriteState.SENT, touched, before)
        session.add(row)
        if sort is Sort.ISOLATES:
            for machine_id, body in machines.items():
                opened = isolations.open_isolation(session, machine_id) or self._open(session, machine_id, _name(body), write.actor)
                row.isolation_id = opened.isolation_id
                session.flush()
                undo = isolations.undo_of(isolations.writes_of(session, opened.isolation_id))
                isolations.save_file(self._folder, opened, undo, self._endpoint)
        elif touched:
            opened_one = next((found for each in touched if (found := isolations.open_isolation(session, each))), None)
            row.isolation_id = opened_one.isolation_id if opened_one else None
            if opened_one is not None and sort is Sort.RELEASES:
                opened_one.state = State.RELEASING
        detail = {"write_id": write.write_id, "sort": sort, "machines": touched, "job_id": write.actor.job_id, "run_id": write.actor.run_id}
        audit.record(
            session, who=_who(write.actor), act=f"containment.{sort}", subject=str(write.resource_id), at=self._clock.now(), detail=detail
        )

    def _open(self, session: Session, machine_id: str, name: str, actor: Actor) -> Isolation:
        now = self._clock.now()
        facts = {
            "account": self._account,
            "machine_id": machine_id,
            "machine_name": name,
            "opened_by": asdict(actor),
            "incident_id": actor.incident_id,
            "run_id": actor.run_id,
            "lease_ends_at": now + self._policy.lease,
        }
        return isolations.begin(session, facts, at=now)

    def _complete(self, session: Session, row: WriteRow, after: dict[str, Any] | None) -> None:
        now = self._clock.now()
        row.state, row.after, row.ended_at = WriteState.DONE, after, now
        opened = session.get(Isolation, row.isolation_id) if row.isolation_id else None
        if opened is None:
            return
        event = {"isolation_id": opened.isolation_id, "machine_name": opened.machine_name, "incident_id": opened.incident_id}
        event |= {"run_id": opened.run_id, "by": _who_of(row.actor), "at": now.isoformat()}
        if row.sort == Sort.ISOLATES:
            opened.state = State.ISOLATED
            outbox.publish(session, f"isolation:{opened.isolation_id}", OPENED, event, at=now)
        elif row.sort == Sort.RELEASES:
            self._complete_release(session, opened, row, event)

    def _complete_release(self, session: Session, opened: Isolation, row: WriteRow, event: dict[str, Any]) -> None:
        """The isolation ends when all it changed is back; one that somebody else opened only in part has drifted."""
        now = self._clock.now()
        session.flush()
        writes = [each for each in isolations.writes_of(session, opened.isolation_id) if each.state == WriteState.DONE]
        cut = {each.resource_id.lower() for each in writes if each.sort == Sort.ISOLATES}
        back = {each.resource_id.lower() for each in writes if each.sort == Sort.RELEASES}
        if cut - back:
            is_ours = (row.idempotency_key or "").startswith(f"release:{opened.isolation_id}:")
            opened.state = State.RELEASING if is_ours else State.DRIFTED
            return
        opened.state, opened.ended_at, opened.ended_by = State.RELEASED, now, _who_of(row.actor)
        opened.end_reason = row.actor.get("reason") or opened.end_reason
        isolations.save_file(self._folder, opened, [], self._endpoint)
        outbox.publish(session, f"isolation:{opened.isolation_id}", RELEASED, event, at=now)

    def _fail(self, write_id: str, reason: str) -> None:
        with self._database.transaction() as session:
            row = session.get_one(WriteRow, write_id)
            row.state, row.problem, row.ended_at = WriteState.FAILED, reason, self._clock.now()
            opened = session.get(Isolation, row.isolation_id) if row.isolation_id else None
            if opened is None:
                return
            session.flush()
            states = {each.state for each in isolations.writes_of(session, opened.isolation_id) if each.sort == Sort.ISOLATES}
            if opened.state == State.RELEASING:
                opened.state = State.ISOLATED
            elif states == {WriteState.FAILED}:
                opened.state, opened.problem, opened.ended_at = State.FAILED, reason, self._clock.now()

    def _row(self, write: NetworkWrite, sort: Sort, state: WriteState, machine_ids: list[str], before: Any) -> WriteRow:
        return WriteRow(
            write_id=write.write_id,
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


def _sort(effect: Effect) -> Sort:
    was, will_be = is_closed(effect.before), is_closed(effect.after)
    if was == will_be:
        return Sort.NEITHER
    return Sort.ISOLATES if will_be else Sort.RELEASES


def _sort_of_all(effects: list[Effect]) -> Sort:
    """A write that isolates anything is held to that; one that only releases is a release."""
    sorts = {_sort(effect) for effect in effects}
    return Sort.ISOLATES if Sort.ISOLATES in sorts else Sort.RELEASES if Sort.RELEASES in sorts else Sort.NEITHER


def _placing(interface: dict[str, Any], *, otherwise: dict[str, Any] | None = None) -> tuple[str, str]:
    """What decides over an interface's packets: its group and its subnet."""
    subnet = subnet_of(interface) or (subnet_of(otherwise) if otherwise else "")
    return id_in((interface.get("properties") or {}).get("networkSecurityGroup")).lower(), subnet.lower()


def _has_been_applied(row: WriteRow, now: dict[str, Any]) -> bool:
    if row.kind != WriteKind.INTERFACE or row.body is None:
        return bool(now.get("etag") != row.before_etag)
    return _placing(now) == _placing(row.body, otherwise=now)


def _name(machine: dict[str, Any]) -> str:
    return str(machine.get("name") or "unknown machine")


def _who(actor: Actor) -> str:
    return f"{actor.kind} {actor.name}"


def _who_of(actor: dict[str, Any]) -> str:
    return f"{actor['kind']} {actor['name']}"
