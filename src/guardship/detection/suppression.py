"""Which findings are new, and which are an alert we have raised already: pure, decided before anything is written.

A rule that looks back further than it runs often finds the same thing again. Two findings are the same when their fingerprints are:
by default what they name, or the columns the rule lists. A fingerprint that holds the moment of the event counts for ever, one that
only says who and where counts for as long as the rule looks back. Suppression goes further: after an alert it keeps silent about the
same entities, or the whole rule, for the time the rule states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardship.detection.finding import Finding
from guardship.detection.rules import RuleDefinition


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of the newest alert with this fingerprint or these entities."""

    alert_id: str
    last_seen_at: datetime
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    fresh: tuple[Finding, ...]
    repeats: tuple[tuple[Finding, str], ...]  # with the alert they repeat
    silenced: tuple[Finding, ...]  # the whole rule keeps silent


def judge(
    findings: Sequence[Finding],
    rule: RuleDefinition,
    *,
    by_fingerprint: Mapping[str, Earlier],
    by_entities: Mapping[str, Earlier],
    silent_until: datetime | None,
    now: datetime,
) -> Verdict:
    """Each finding is fresh, a repeat of an alert, or silenced; of two equal ones in the same run the first is taken."""
    if silent_until is not None and now < silent_until:
        return Verdict((), (), tuple(findings))
    fresh: dict[str, Finding] = {}
    repeats: list[tuple[Finding, str]] = []
    silenced: list[Finding] = []
    for finding in findings:
        earlier = _same(finding, rule, by_fingerprint, now) or _suppressing(finding, rule, by_entities, now)
        if earlier is not None:
            repeats.append((finding, earlier.alert_id))
        elif rule.suppress_by == "rule" and rule.suppression_seconds and fresh:
            silenced.append(finding)
        elif finding.fingerprint not in fresh:
            fresh[finding.fingerprint] = finding
    return Verdict(tuple(fresh.values()), tuple(repeats), tuple(silenced))


def _same(finding: Finding, rule: RuleDefinition, known: Mapping[str, Earlier], now: datetime) -> Earlier | None:
    earlier = known.get(finding.fingerprint)
    if earlier is None or finding.is_event:
        return earlier
    return earlier if now < earlier.last_seen_at + timedelta(seconds=rule.lookback_seconds) else None


def _suppressing(finding: Finding, rule: RuleDefinition, known: Mapping[str, Earlier], now: datetime) -> Earlier | None:
    if not rule.suppression_seconds or rule.suppress_by != "entities":
        return None
    earlier = known.get(finding.entity_digest)
    return earlier if earlier and now < earlier.raised_at + timedelta(seconds=rule.suppression_seconds) else None
