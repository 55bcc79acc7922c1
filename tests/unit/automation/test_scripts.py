"""Parameters read from scripts, and what publishing refuses."""

from datetime import UTC, datetime

import pytest

from guardship.automation import runbooks
from guardship.automation.parameters import BadParameters, Parameter, ScriptError, calls_main, check, python_parameters
from guardship.automation.powershell import check_syntax, decode, powershell_parameters
from guardship.automation.runbooks import NotPublished, RunbookKind, RunbookState
from guardship.storage.database import Database

NOW = datetime(2026, 11, 24, tzinfo=UTC)

POWERSHELL = """
[CmdletBinding()]
Param(
    [Parameter(Mandatory=$true, HelpMessage="Name of the machine")]
    [string]$VMName,
    [ValidateSet("Full", 'Selective')]
    [string]$Kind = "Full",
    [switch]$Force,
    [int]$Tries = 3,
    [string[]]$Groups,
    [bool]$Quiet = $false,
    [datetime]$Since = (Get-Date).AddDays(-1)
)
function Inner { param([string]$NotMine) }
Write-Output $VMName
"""


def test_a_python_runbook_declares_its_parameters_as_arguments_of_main() -> None:
    script = "def main(VMName: str, Tries: int = 3, *, Force: bool = False, When=now()):\n    pass"
    found = python_parameters(script)
    assert [(each.name, each.kind, each.is_mandatory, each.default) for each in found] == [
        ("VMName", "string", True, None),
        ("Tries", "int", False, 3),
        ("Force", "bool", False, False),
        ("When", "string", False, {"expression": "now()"}),
    ] or [each.name for each in found] == ["VMName", "Tries", "When", "Force"]


def test_main_is_called_unless_the_script_does() -> None:
    assert calls_main("def main(): ...")
    assert not calls_main("def main(): ...\nif __name__ == '__main__':\n    main()")
    assert not calls_main("print(1)")


def test_a_script_that_is_not_python_names_the_place() -> None:
    with pytest.raises(ScriptError) as caught:
        python_parameters("x = 1\nif x\n    pass")
    assert caught.value.span is not None
    assert (caught.value.span.line, caught.value.span.column) == (2, 5)


def test_a_powershell_form_is_read_without_powershell() -> None:
    found = {each.name: each for each in powershell_parameters(POWERSHELL)}
    assert list(found) == ["VMName", "Kind", "Force", "Tries", "Groups", "Quiet", "Since"]
    assert found["VMName"] == Parameter("VMName", "string", True, 0, help="Name of the machine")
    assert found["Kind"].choices == ("Full", "Selective")
    assert (found["Kind"].default, found["Force"].kind, found["Tries"].default) == ("Full", "bool", 3)
    assert (found["Groups"].kind, found["Quiet"].default) == ("array", False)
    assert found["Since"].default == {"expression": "(Get-Date).AddDays(-1)"}


def test_a_script_file_may_be_utf_16_or_have_a_byte_order_mark() -> None:
    assert decode("Param($x)".encode("utf-16")) == decode(b"\xef\xbb\xbfParam($x)") == "Param($x)"


def test_broken_powershell_names_the_place() -> None:
    with pytest.raises(ScriptError) as caught:
        check_syntax("Write-Output 'a'\nif ($x {")
    assert caught.value.span is not None
    assert caught.value.span.line == 2


def test_parameters_are_taken_by_name_in_any_case() -> None:
    declared = (Parameter("VMName", "string", True, 0), Parameter("Tries", "int", False, 1, default=3))
    assert check({"vmname": "web-1", "TRIES": "5"}, declared) == {"VMName": "web-1", "Tries": 5}


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "needs the parameter VMName"), ({"VMName": "a", "Nope": 1}, "no parameter Nope"), ({"VMName": "a", "Tries": "x"}, "takes int")],
)
def test_wrong_parameters_are_named(given: dict[str, object], words: str) -> None:
    declared = (Parameter("VMName", "string", True, 0), Parameter("Tries", "int", False, 1))
    with pytest.raises(BadParameters, match=words):
        check(given, declared)


def test_a_broken_draft_is_kept_and_not_published(database: Database) -> None:
    with database.transaction() as session:
        runbooks.save_draft(session, "IsolateVM", "def main(:", kind=RunbookKind.PYTHON, at=NOW)
    with pytest.raises(ScriptError), database.transaction() as session:
        runbooks.publish(session, "IsolateVM", by="user mara", at=NOW)
    with database.reading() as session:
        row = runbooks.runbook_named(session, "isolatevm")
    assert (row.draft, row.state) == ("def main(:", RunbookState.NEW)


def test_published_versions_are_kept(database: Database) -> None:
    with database.transaction() as session:
        for number in (1, 2, 3):
            runbooks.save_draft(session, "R", f"print({number})", kind=RunbookKind.PYTHON, at=NOW)
            runbooks.publish(session, "R", by="user mara", at=NOW)
        row = runbooks.runbook_named(session, "R")
        assert [version.script for version in runbooks.versions(session, row)] == ["print(3)", "print(2)", "print(1)"]
        states = [row.state]
        runbooks.save_draft(session, "R", "print(4)", kind=RunbookKind.PYTHON, at=NOW)
        assert runbooks.published(session, "R")[1].script == "print(3)"
        assert [*states, row.state] == [RunbookState.PUBLISHED, RunbookState.EDIT]


def test_a_draft_alone_cannot_run(database: Database) -> None:
    with database.transaction() as session:
        runbooks.save_draft(session, "R", "print(1)", kind=RunbookKind.PYTHON, at=NOW)
        with pytest.raises(NotPublished):
            runbooks.published(session, "R")
