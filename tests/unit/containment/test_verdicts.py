"""Caps, and what probes prove."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy.orm import Session

from guardship.containment import guardrails
from guardship.containment.guardrails import Policy, cap_of, is_protected
from guardship.containment.isolations import Finding
from guardship.containment.verification import Findings, Probe, Question, findings_of

SHUT = [Probe(question, "x", False, "") for question in Question if question not in (Question.CONTROL,)]
CONTROL = Probe(Question.CONTROL, "jump-1", True, "")


@pytest.mark.parametrize(("machines", "cap"), [(0, 1), (1, 1), (4, 1), (10, 1), (11, 2), (30, 3), (1000, 5)])
def test_the_cap_is_the_smaller_of_count_and_share_and_never_under_one(machines: int, cap: int) -> None:
    assert cap_of(Policy(), machines) == cap


@pytest.mark.parametrize(
    ("tags", "expected"), [({}, False), ({"Guardship:Protected": "TRUE"}, True), ({"guardship:protected": "false"}, False)]
)
def test_a_tag_protects_in_any_case(tags: dict[str, str], expected: bool) -> None:
    assert is_protected(tags) is expected


def test_everything_shut_and_the_control_through_is_verified() -> None:
    assert findings_of([CONTROL, *SHUT]) == Findings(Finding.VERIFIED, Finding.VERIFIED, Finding.VERIFIED)


def test_a_prober_that_can_send_nothing_proves_nothing() -> None:
    found = findings_of([Probe(Question.CONTROL, "jump-1", False, ""), *SHUT])
    assert (found.new_connections_blocked, found.metadata_service_blocked) == (Finding.NOT_VERIFIED, Finding.NOT_VERIFIED)
    assert findings_of(SHUT).new_connections_blocked is Finding.NOT_VERIFIED


@pytest.mark.parametrize("question", [question for question in Question if question is not Question.CONTROL])
def test_one_probe_that_gets_through_fails_its_finding_and_no_other(question: Question) -> None:
    found = findings_of([CONTROL, *SHUT, Probe(question, "x", True, "")])
    names = {Question.LIVE_SESSION: "live_sessions_cut", Question.METADATA: "metadata_service_blocked"}
    failed = names.get(question, "new_connections_blocked")
    for name in Findings.__dataclass_fields__:
        assert (getattr(found, name) is Finding.FAILED) == (name == failed)


@pytest.mark.parametrize("question", [question for question in Question if question is not Question.CONTROL])
def test_a_question_that_could_not_be_asked_leaves_its_finding_open(question: Question) -> None:
    probes = [Probe(each.question, "x", None if each.question is question else False, "") for each in SHUT]
    found = findings_of([CONTROL, *probes])
    assert (
        list(map(str, (found.new_connections_blocked, found.live_sessions_cut, found.metadata_service_blocked))).count("not_verified") == 1
    )
    missing = findings_of([CONTROL, *(each for each in SHUT if each.question is not question)])
    assert missing == found


def test_what_no_packet_proved_is_not_verified() -> None:
    simulated = [replace(probe, is_simulated=True) for probe in [CONTROL, *SHUT]]
    unknown = Finding.NOT_VERIFIED
    assert findings_of(simulated) == Findings(unknown, unknown, unknown)
    assert not findings_of([CONTROL, *SHUT[:-1], replace(SHUT[-1], is_simulated=True)]).is_contained


def test_a_machine_that_counts_already_adds_nothing_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardrails, "isolated_lately", lambda session, at: {"a", "b"})
    concern = partial(guardrails.concern_about, Session(), tags={}, machine_count=4, policy=Policy(), at=datetime.now(UTC))
    assert concern({"a"}) is None
    assert concern({"a", "c"}) is not None
