"""Rules: what a definition must say, the switch, and the rules that ship."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.detection.rooms import START, Detection

from guardship.detection.finding import findings_of
from guardship.detection.rules import (
    CONTENT,
    BadRule,
    all_rules,
    definition_from,
    duration_seconds,
    get_rule,
    remove_rule,
    rule_of,
    save_rule,
    set_enabled,
)
from guardship.detection.severity import Severity
from guardship.detection.shipped_rules import import_shipped, read_rule_file
from guardship.errors import NotFound
from guardship.workspace.catalog import Catalog
from guardship.workspace.kql.compile import compile_query

PLAIN: dict[str, Any] = {"name": "R", "query": "Syslog", "severity": "medium"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "no name"),
        ({"query": None}, "no query"),
        ({"severity": "Dire"}, "'Dire' is not known"),
        ({"queryFrequency": "0.5s"}, "1 s or more"),
        ({"queryFrequency": "soon"}, "no length of time"),
        ({"queryFrequency": "10m", "queryPeriod": "5m"}, "queryPeriod must be"),
        ({"queryPeriod": "15d"}, "queryPeriod must be"),
        ({"triggerOperator": "about"}, "triggerOperator"),
        ({"entityMappings": [{"entityType": "Host"}]}, "fieldMappings"),
        ({"triggerThreshold": "5"}, "triggerThreshold must be"),
        ({"tactics": "Discovery"}, "tactics must be"),
        ({"customDetails": ["a"]}, "customDetails must be"),
    ],
)
def test_a_definition_that_is_wrong_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRule, match=message):
        definition_from({**PLAIN, **changes})


def test_what_is_left_out_has_safe_values() -> None:
    definition = definition_from(PLAIN)
    assert (definition.severity, definition.frequency_seconds, definition.lookback_seconds) == (Severity.MEDIUM, 300.0, 300.0)
    assert (definition.trigger_operator, definition.trigger_threshold, definition.alert_per_row) == ("gt", 0, False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2.0),
        ("5m", 300.0),
        ("PT5M", 300.0),
        ("P1D", 86_400.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("", None),
        ("5", None),
        ("m", None),
    ],
)
def test_lengths_of_time(text: str, seconds: float | None) -> None:
    assert duration_seconds(text) == seconds


def test_a_new_rule_is_off_and_keeps_its_switch_when_it_is_saved_again(detection: Detection) -> None:
    with detection.database.transaction() as session:
        row = save_rule(session, PLAIN, by="ada", at=START)
        assert not row.is_enabled
        set_enabled(session, row.rule_id, True, by="ada", at=START, frequency_seconds=2)
        again = save_rule(session, {**PLAIN, "name": "S", "queryFrequency": "1m"}, by="bo", at=START, rule_id=row.rule_id)
        assert (again.is_enabled, again.name, again.frequency_seconds) == (True, "S", 60.0)
        with pytest.raises(BadRule, match="every 1 s"):
            set_enabled(session, row.rule_id, True, by="ada", at=START, frequency_seconds=0.5)
        remove_rule(session, row.rule_id)
    with detection.database.reading() as session, pytest.raises(NotFound):
        get_rule(session, row.rule_id)


def test_shipped_rules_come_switched_off_and_are_brought_up_to_date(detection: Detection, tmp_path: Path) -> None:
    file = tmp_path / "rule.toml"
    file.write_text('id = "r"\nname = "R"\nquery = "Syslog"\nseverity = "High"\n')
    with detection.database.transaction() as session:
        (row,) = import_shipped(session, at=START, folder=tmp_path)
        assert (row.rule_id, row.is_enabled, row.is_shipped) == ("rule_r", False, True)
        set_enabled(session, "rule_r", True, by="ada", at=START, frequency_seconds=2)
    file.write_text('id = "r"\nname = "R2"\nquery = "Syslog | take 1"\nseverity = "High"\n')
    with detection.database.transaction() as session:
        import_shipped(session, at=START, folder=tmp_path)
    with detection.database.reading() as session:
        (kept,) = all_rules(session)
    definition = rule_of(kept)
    assert (kept.name, kept.is_enabled, definition.query, definition.frequency_seconds) == ("R2", True, "Syslog | take 1", 2.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", "{"), ("a.json", "{"), ("a.toml", "="), ("a.yaml", "- 1"), ("noid.yaml", "name: R\nquery: Syslog\nseverity: Low\n")],
)
def test_a_rule_file_that_cannot_be_read_is_named(detection: Detection, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadRule, match=name), detection.database.transaction() as session:
        read_rule_file(tmp_path / name)
        import_shipped(session, at=START, folder=tmp_path)


@pytest.mark.parametrize("file", sorted(CONTENT.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_rule_compiles_and_maps_columns_it_has(file: Path) -> None:
    document = read_rule_file(file)
    definition = definition_from(document)
    columns = {column.name for column in compile_query(definition.query, Catalog.load().schema, datetime(2026, 1, 1)).columns}
    mapped = {each.column for entity in definition.entity_mappings for each in entity.fields}
    assert mapped | set(definition.custom_details.values()) | set(definition.fingerprint_columns) <= columns
    assert document["id"]


def test_titles_and_severity_can_come_from_the_row() -> None:
    override = {"alertDisplayNameFormat": "On {{Computer}} {{Nothing}}", "alertSeverityColumnName": "Level"}
    rule = definition_from({**PLAIN, "alertDetailsOverride": override, "customDetails": {"Who": "Computer"}})
    (finding,) = findings_of(
        rule, [{"Computer": "web-1", "Level": "high", "StartTime": "2026-11-24T00:00:00.0000000Z"}], count=1, now=datetime.now(UTC)
    )
    assert (finding.title, finding.severity, finding.details) == ("On web-1", Severity.HIGH, {"Who": "web-1"})
    assert finding.started_at == datetime(2026, 11, 24, tzinfo=UTC)
