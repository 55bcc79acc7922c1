"""`python -m tests.conformance.playbooks DIR [--list] [--recordings DIR]`: every workflow of every file is loaded, then run to its end.

What a file lacks is a finding with path and line (`--list` prints each), and the rest of it runs. Last line:
`files N, loaded N, ran N, refused N`.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from tests.conformance.playbooks.answering import FROM_TEMPLATE, NOT_PUBLISHED, PUBLISHED, RECORDED, Answers
from tests.conformance.playbooks.documents import REFUSALS, Document, load
from tests.conformance.playbooks.reading import read_definition
from tests.conformance.playbooks.running import PATIENCE_SECONDS, End, Engine, engine

from guardship.connectors.recordings import read_recording
from guardship.playbooks.definition import Workflow

WANTED = 0.95
ENDED = ("Succeeded", "Failed", "Cancelled", "TimedOut")


@dataclass(slots=True)
class Tally:
    files: int = 0
    loaded: int = 0
    ran: int = 0
    refused: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def run_all(folder: Path, *, lists: bool, recordings: Path | None = None) -> tuple[Tally, Answers]:
    tally, answers = Tally(), Answers()
    for file in sorted(recordings.glob("*.jsonl")) if recordings else ():
        answers.recordings += read_recording(file.read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="guardship-conformance-") as home:
        async with engine(Path(home), answers) as running:
            for path in sorted(folder.rglob("*.json")):
                await _one(path, running, tally, lists=lists)
    return tally, answers


async def _one(path: Path, running: Engine, tally: Tally, *, lists: bool) -> None:
    document = load(path, running.answers, running.clock.now())
    tally.files += 1
    tally.loaded += document.is_loaded
    tally.codes.update(finding.code for finding in document.findings)
    tally.refusals.update({f"{REFUSALS[finding.code]}: {finding.message}" for finding in document.refusals})
    if lists:
        for finding in document.findings:
            print(f"{path.name}:{finding.line}:{finding.column}: {finding.path}: {finding.code}: {finding.message}")
    tally.refused += bool(document.refusals)
    if await _has_run(document, running, tally) and not document.refusals:
        tally.ran += 1


async def _has_run(document: Document, running: Engine, tally: Tally) -> bool:
    has_run = document.is_loaded
    for one in document.workflows:
        if not one.workflow.triggers or any(problem.code in REFUSALS for problem in one.problems):
            has_run = False  # what is refused is never started
            continue
        ends = await _ends(one.workflow, one.definition, document, running)
        tally.ends.update(end.status for end in ends)
        tally.failures.extend(f"{document.path.name}: {one.name}: {failure}" for end in ends for failure in end.failures)
        if not ends or any(end.status not in ENDED for end in ends):
            tally.unfinished.append(f"{document.path.name}: {one.name}: {', '.join(end.status for end in ends) or 'no end'}")
            has_run = False
    return has_run


async def _ends(workflow: Workflow, definition: object, document: Document, running: Engine) -> list[End]:
    assert document.connectors is not None
    try:
        return await running.run(workflow, document.connectors, read_definition(definition))
    except TimeoutError:
        return [End(f"no end within {PATIENCE_SECONDS:g} s")]


def report(tally: Tally, answers: Answers, seconds: float, *, lists: bool) -> None:
    for line in tally.failures if lists else ():
        print(f"failed: {line}")
    print("findings: " + (", ".join(f"{code} {count}" for code, count in tally.codes.most_common()) or "none"))
    for what, count in tally.refusals.most_common():
        print(f"refused in {count}: {what}")
    for line in tally.unfinished:
        print(f"did not end: {line}")
    print("runs: " + ", ".join(f"{end} {count}" for end, count in tally.ends.most_common()) + f", in {seconds:.1f} s")
    for by, title in (
        (RECORDED, "answered by a recording"),
        (PUBLISHED, "answered as published"),
        (FROM_TEMPLATE, "answered only from the template"),
        (NOT_PUBLISHED, "answered only from the template, and published by no connector of ours"),
    ):
        asked = Counter({key[:2]: count for key, count in answers.asked.items() if key[2] == by})
        print(f"{title}: {len(asked)} operations, {asked.total()} calls")
        if by in (FROM_TEMPLATE, NOT_PUBLISHED):
            for (connector, operation), count in sorted(asked.items()):
                print(f"    {connector} {operation}: {count}")
    print(f"files {tally.files}, loaded {tally.loaded}, ran {tally.ran}, refused {tally.refused}")


def main() -> int:
    arguments = argparse.ArgumentParser(prog="tests.conformance.playbooks", description="Load and run every playbook of a folder.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument(
        "--list", action="store_true", help="print each finding with its file, line and column, and what failed in each run"
    )
    arguments.add_argument("--recordings", type=Path, help="a folder of recordings (*.jsonl), which answer before anything is made up")
    given = arguments.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    started = time.monotonic()
    tally, answers = asyncio.run(run_all(given.folder, lists=given.list, recordings=given.recordings))
    report(tally, answers, time.monotonic() - started, lists=given.list)
    return 0 if tally.ran >= WANTED * tally.files else 1


if __name__ == "__main__":
    sys.exit(main())
