"""`python -m tests.conformance.templates DIR`: what is found in each template, app or zip, and what is wrong with it.

With `-q` the lines of single problems are left out. The last line is `files N, workflows N, problems N`. It ends with 1 when something
could not be read at all, which is a fault of ours or of the file; problems are the business of whoever wrote the template.
"""

import argparse
import sys
from pathlib import Path

from tests.unit.playbooks.alert_triggers import SecurityCenterAlert, SentinelAlert

from guardship.clock import SystemClock
from guardship.connectors.http import Http
from guardship.connectors.outbound import OutboundRules
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.arm.standard import files_of
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.validation import Checked, Located, check_document, check_folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.templates", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-q", "--quiet", action="store_true")
    given = parser.parse_args()
    connectors = ConnectorSet([SecurityCenterAlert(), SentinelAlert(), Http({}, OutboundRules())])
    now = SystemClock().now()
    files, workflows, problems, unread = 0, 0, 0, 0
    for path in sorted(given.folder.iterdir()):
        if path.is_dir():
            checked = check_folder(files_of(path), connectors, parameters={})
        elif path.suffix in (".json", ".zip"):
            checked = check_document(path.stem, path.read_bytes(), connectors, parameters={}, place=ArmPlace(), now=now)
        else:
            continue
        found = [*checked.problems, *[problem for one in checked.workflows for problem in one.problems]]
        files, workflows, problems = files + 1, workflows + len(checked.workflows), problems + len(found)
        unread += not checked.workflows
        _tell(path.name, checked, found, is_quiet=given.quiet)
    print(f"files {files}, workflows {workflows}, problems {problems}")
    return 1 if unread else 0


def _tell(name: str, checked: Checked, problems: list[Located], *, is_quiet: bool) -> None:
    counts = f"{len(checked.workflows)} workflows, {len(problems)} problems, {len(checked.needs_deployment)} known after deployment"
    ignored = f", ignored: {'; '.join(checked.ignored)}" if checked.ignored else ""
    print(f"{name}: {counts}{ignored}")
    for problem in () if is_quiet else problems:
        print(f"    {problem.path}, line {problem.line}, column {problem.column}: {problem.code}: {problem.message}")


if __name__ == "__main__":
    sys.exit(main())
