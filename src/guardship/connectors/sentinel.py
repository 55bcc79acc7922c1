"""Microsoft Sentinel over our own incidents: comments, updates, relations, and the older paths that name an incident by alert or number.

An incident is named by its ARM id, as the trigger told it: `…/providers/Microsoft.SecurityInsights/Incidents/inc_…`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from guardship.clock import Clock
from guardship.connectors.acting import Act, Acting, BadInput, Input, Probe, answer
from guardship.connectors.sentinel_entities import entity_acts
from guardship.connectors.sentinel_watchlists import watchlist_acts
from guardship.detection import incidents
from guardship.detection.alerts import alerts_of_incident, get_alert, payload_of_incident
from guardship.detection.classification import Classification
from guardship.detection.incident_changes import COMMENT, add_comment, incident_of_number, marked, open_by_hand, relate, set_severity
from guardship.detection.incident_triggers import incident_arm_id
from guardship.detection.incidents import Incident, IncidentStatus
from guardship.detection.severity import Severity
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.identity import audit
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse
from guardship.storage.database import Database

_UNCHANGED = ("", "nochange", "no change")


class CommentIn(Input):
    incident_arm_id: str
    message: str


class UpdateIn(Input):
    incident_arm_id: str
    status: str = ""
    severity: str = ""
    classification: Any = None
    owner: Any = None
    owner_action: str = ""
    tags_to_add: Any = None
    tags_to_remove: Any = None


class CreateIn(Input):
    title: str
    severity: str
    description: str = ""
    status: str = ""
    owner: Any = None
    tags: Any = None


class RelateIn(Input):
    incident_arm_id: str
    related_resource_id: str


class Sentinel:
    def __init__(self, database: Database, address: WorkspaceAddress, clock: Clock) -> None:
        self._database = database
        self._address = address
        self._clock = clock

    def back_end(self) -> Acting:
        acts: dict[str, Act] = {
            "add_comment": self._comment,
            "update_incident": self._update,
            "create_incident": self._create,
            "create_relation": self._relate,
            "get_incident_of_alert": self._of_alert,
            "get_case": self._case,
            "comment_case": self._comment_case,
            "set_case_status": self._case_status,
            "set_case_severity": self._case_severity,
            "add_case_labels": self._case_labels,
        }
        probes: dict[str, Probe] = {"add_comment": self._commented, "comment_case": self._commented}
        own = watchlist_acts(self._database, self._address, self._clock)
        return Acting("azuresentinel", acts | entity_acts() | own, probes)

    # ---- incidents by their ARM id

    def _comment(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = CommentIn.read(request.body)
        incident_id = incident_id_of(given.incident_arm_id)
        with self._database.transaction() as session:
            entry = add_comment(session, incident_id, given.message, by=context.actor, at=self._clock.now(), mark=context.idempotency_key)
        return answer(self._comment_told(incident_id, entry.entry_id, given.message), 201)

    def _commented(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        """Whether this very call wrote its comment before the process ended."""
        with self._database.reading() as session:
            if request.operation == "add_comment":
                incident_id = incident_id_of(CommentIn.read(request.body).incident_arm_id)
            else:
                incident_id = self._by_case(session, request).incident_id
            entry = marked(session, incident_id, COMMENT, context.idempotency_key)
        return answer(self._comment_told(incident_id, entry.entry_id, entry.text), 201) if entry else None

    def _comment_told(self, incident_id: str, entry_id: str, message: str) -> dict[str, Any]:
        place = f"{incident_arm_id(incident_id, self._address)}/Comments/{entry_id}"
        return {"id": place, "name": entry_id, "type": "Microsoft.SecurityInsights/Incidents/Comments", "properties": {"message": message}}

    def _update(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = UpdateIn.read(request.body)
        incident_id = incident_id_of(given.incident_arm_id)
        with self._database.transaction() as session:
            incident = incidents.get_incident(session, incident_id)
            self._change(session, incident, given, context)
            self._audited(session, "incident.changed", incident_id, context)
            return answer(self._told(session, incident))

    def _change(self, session: Session, incident: Incident, given: UpdateIn, context: CallContext) -> None:
        said: dict[str, Any] = {"by": context.actor, "at": self._clock.now(), "address": self._address}
        if given.severity.lower() not in _UNCHANGED:
            set_severity(session, incident.incident_id, severity_of(given.severity), **said)
        if given.owner_action.lower() == "unassign":
            incidents.set_owner(session, incident.incident_id, None, **said)
        elif (owner := owner_of(given.owner)) is not None and given.owner_action.lower() in ("", "assign"):
            incidents.set_owner(session, incident.incident_id, owner, **said)
        added, removed = tags_of(given.tags_to_add, "tagsToAdd"), tags_of(given.tags_to_remove, "tagsToRemove")
        if added or removed:
            gone = {tag.lower() for tag in removed}
            kept = [tag for tag in [*incident.tags, *added] if tag.lower() not in gone]
            incidents.set_tags(session, incident.incident_id, kept, **said)
        if given.status.lower() not in _UNCHANGED:
            classification, reason, comment = classified(given.classification)
            status = status_of(given.status)
            incidents.set_status(
                session, incident.incident_id, status, classification=classification, reason=reason, comment=comment, **said
            )

    def _create(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = CreateIn.read(request.body)
        said: dict[str, Any] = {"by": context.actor, "at": self._clock.now(), "address": self._address}
        tags = tags_of(given.tags, "tags")
        with self._database.transaction() as session:
            incident = open_by_hand(session, given.title, severity_of(given.severity), description=given.description, tags=tags, **said)
            if (owner := owner_of(given.owner)) is not None:
                incidents.set_owner(session, incident.incident_id, owner, **said)
            if given.status.lower() not in (*_UNCHANGED, "new"):
                incidents.set_status(session, incident.incident_id, status_of(given.status), **said)
            self._audited(session, "incident.opened", incident.incident_id, context)
            return answer(self._told(session, incident), 201)

    def _audited(self, session: Session, act: str, incident_id: str, context: CallContext) -> None:
        detail = {"run_id": context.run_id, "action": context.action_key}
        audit.record(session, who=context.actor, act=act, subject=incident_id, at=self._clock.now(), detail=detail)

    def _relate(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = RelateIn.read(request.body)
        incident_id = incident_id_of(given.incident_arm_id)
        if not given.related_resource_id.startswith("/"):
            raise BadInput(f"relatedResourceId: {given.related_resource_id} is no resource id")
        with self._database.transaction() as session:
            entry = relate(
                session, incident_id, given.related_resource_id, by=context.actor, at=self._clock.now(), mark=context.idempotency_key
            )
        place = f"{incident_arm_id(incident_id, self._address)}/relations/{entry.entry_id}"
        return answer({"id": place, "name": entry.entry_id, "properties": {"relatedResourceId": given.related_resource_id}}, 201)

    def _of_alert(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        with self._database.reading() as session:
            alert = get_alert(session, request.segments["alert"])
            return answer(self._told(session, incidents.get_incident(session, alert.incident_id)))

    def _told(self, session: Session, incident: Incident) -> dict[str, Any]:
        payload = payload_of_incident(incident, alerts_of_incident(session, incident.incident_id), self._address)
        made: dict[str, Any] = payload["triggers"]["sentinel_incident"]["object"]
        return made

    # ---- the older paths

    def _by_case(self, session: Session, request: ConnectorRequest) -> Incident:
        """`…/{Incident or Alert}/{number or id}`; Get incident names the alert alone."""
        kind = request.segments.get("identifier", "Alert").lower()
        named = request.segments.get("number") or request.segments.get("alert", "")
        if kind not in ("incident", "alert"):
            raise BadInput(f"identifier: {request.segments['identifier']} is neither Incident nor Alert")
        if kind == "incident":
            return incident_of_number(session, int(named)) if named.isdigit() else incidents.get_incident(session, incident_id_of(named))
        return incidents.get_incident(session, get_alert(session, named).incident_id)

    def _case(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        with self._database.reading() as session:
            return answer(_case_told(self._by_case(session, request)))

    def _comment_case(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        text = _value(request.body, "Value")
        with self._database.transaction() as session:
            incident = self._by_case(session, request)
            add_comment(session, incident.incident_id, text, by=context.actor, at=self._clock.now(), mark=context.idempotency_key)
            return answer(_case_told(incident))

    def _case_status(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        status = status_of(request.segments["status"])
        given = request.body if isinstance(request.body, Mapping) else {}
        reason = next((str(value) for name, value in given.items() if name.lower() in ("closereasontext", "value") and value), None)
        # The older path closes without saying what it turned out to be.
        classification = Classification.UNDETERMINED if status is IncidentStatus.CLOSED else None
        with self._database.transaction() as session:
            incident = self._by_case(session, request)
            incidents.set_status(
                session,
                incident.incident_id,
                status,
                classification=classification,
                comment=reason,
                by=context.actor,
                at=self._clock.now(),
                address=self._address,
            )
            return answer(_case_told(incident))

    def _case_severity(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        severity = severity_of(request.segments["severity"])
        with self._database.transaction() as session:
            incident = self._by_case(session, request)
            set_severity(session, incident.incident_id, severity, by=context.actor, at=self._clock.now(), address=self._address)
            return answer(_case_told(incident))

    def _case_labels(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = request.body if isinstance(request.body, Mapping) else {}
        labels = tags_of(next((value for name, value in given.items() if name.lower() == "labels"), None), "Labels")
        if not labels:
            raise BadInput("Labels: at least one label is needed")
        with self._database.transaction() as session:
            incident = self._by_case(session, request)
            tags = [*incident.tags, *labels]
            incidents.set_tags(session, incident.incident_id, tags, by=context.actor, at=self._clock.now(), address=self._address)
            return answer(_case_told(incident))


def incident_id_of(arm_id: str) -> str:
    """The last part of an ARM id, or an id by itself."""
    name = arm_id.rstrip("/").rsplit("/", 1)[-1]
    if not name:
        raise BadInput("incidentArmId: it names no incident")
    return name


def severity_of(text: str) -> Severity:
    found = next((one for one in Severity if one.value.lower() == text.lower()), None)
    if found is None:
        raise BadInput(f"severity: {text} is none of {', '.join(Severity)}")
    return found


def status_of(text: str) -> IncidentStatus:
    known = {one.value.lower(): one for one in IncidentStatus} | {"inprogress": IncidentStatus.ACTIVE, "dismissed": IncidentStatus.CLOSED}
    found = known.get(text.lower().replace(" ", ""))
    if found is None:
        raise BadInput(f"status: {text} is none of {', '.join(IncidentStatus)}")
    return found


def owner_of(given: Any) -> str | None:
    """A name by itself, or in the object that an incident carries."""
    if isinstance(given, Mapping):
        folded = {name.lower(): value for name, value in given.items()}
        names = ("userprincipalname", "email", "assignedto", "objectid")
        return next((str(folded[name]) for name in names if folded.get(name)), None)
    return str(given) if given not in (None, "") else None


def tags_of(given: Any, field: str) -> list[str]:
    """`["vip"]`, `[{"Tag": "vip"}]`, `{"TagsToAdd": [{"Tag": "vip"}]}`: all three occur."""
    if isinstance(given, Mapping):
        given = next((value for value in given.values() if isinstance(value, list)), None) if len(given) == 1 else [given]
    if given in (None, ""):
        return []
    if not isinstance(given, list):
        raise BadInput(f"{field}: tags are an array, this is a value of type {type(given).__name__}")
    found = [_tag(entry) for entry in given]
    return [tag for tag in found if tag]


def _tag(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return next((str(value) for name, value in entry.items() if name.lower() in ("tag", "labelname", "label")), "")
    return str(entry).strip()


def classified(given: Any) -> tuple[Classification | None, str | None, str | None]:
    """`{"ClassificationAndReason": "TruePositive - SuspiciousActivity", "ClassificationReasonText": "…"}`."""
    if given in (None, "", {}):
        return None, None, None
    folded = {name.lower(): value for name, value in given.items()} if isinstance(given, Mapping) else {"classificationandreason": given}
    words = str(folded.get("classificationandreason") or "").replace(" ", "").split("-")
    found = next((one for one in Classification if one.value.lower() == words[0].lower()), None)
    if found is None:
        raise BadInput(f"classification.ClassificationAndReason: {words[0] or '(nothing)'} is none of {', '.join(Classification)}")
    text = folded.get("classificationreasontext")
    return found, words[1] if len(words) > 1 and words[1] else None, str(text) if text else None


def _value(body: Any, name: str) -> str:
    given = body if isinstance(body, Mapping) else {name: body}
    found = next((value for key, value in given.items() if key.lower() == name.lower()), None)
    if found in (None, ""):
        raise BadInput(f"{name}: a text is needed")
    return str(found)


def _case_told(incident: Incident) -> dict[str, Any]:
    properties = {
        "CaseNumber": incident.number,
        "RelatedAlertIds": incident.alert_ids,
        "Severity": incident.severity,
        "Status": incident.status,
        "Title": incident.title,
        "Description": incident.description or "",
        "Labels": incident.tags,
        "AssignedTo": incident.owner,
    }
    return {"id": incident.incident_id, "name": incident.incident_id, "properties": properties}
