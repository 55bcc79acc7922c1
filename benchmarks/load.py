"""How long it takes to load and check templates, all in one process: from their bytes to every playbook with what is wrong in it.

Given a folder, its `*.json` are loaded; else the playbook that is shipped, many times over, each with another name. The baseline reads the
same bytes by `json.loads`, which knows nothing of what they mean. Parsed expressions are kept, so the first round is the one that counts.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, median, quantile
from guardship.clock import SystemClock
from guardship.connectors.http import Http
from guardship.connectors.outbound import OutboundRules
from guardship.connectors.published_connector import PublishedConnector
from guardship.connectors.published_operations import shipped
from guardship.playbooks.arm.place import ArmPlace
from guardship.playbooks.connector import ConnectorSet
from guardship.playbooks.validation import Checked, check_document

TEMPLATES = 265
SECONDS = 5.0
_SHIPPED = Path("src/guardship/server/content/isolate-on-a-high-alert.json")


def _shipped(count: int) -> list[bytes]:
    document = json.loads(_SHIPPED.read_text("utf-8"))
    return [json.dumps({**document, "contentVersion": f"1.0.0.{number}"}, indent=2).encode() for number in range(count)]


def figures(folder: Path | None, *, is_quick: bool) -> list[Figure]:
    documents = [file.read_bytes() for file in sorted(folder.glob("*.json"))] if folder else _shipped(20 if is_quick else TEMPLATES)
    if not documents:
        raise SystemExit(f"there is no template in {folder}")
    connectors = ConnectorSet([*map(PublishedConnector, shipped().values()), Http({}, OutboundRules())])
    now = SystemClock().now()

    def load(document: bytes) -> Checked:
        return check_document("playbook", document, connectors, parameters={}, place=ArmPlace(), now=now)

    bare = [_seconds(_read, document) for document in documents]
    ours = [_seconds(load, document) for document in documents]
    ratios = [one / plain for one, plain in zip(ours, bare, strict=True)]
    size = sum(map(len, documents)) / 1e6
    note = f"{size:.1f} MB, slowest file {max(ours) * 1000:.0f} ms; of json.loads a file: median {median(ratios):.0f}, p95 {quantile(ratios, 0.95):.0f}"
    seconds, most = sum(ours), SECONDS * len(documents) / TEMPLATES
    return [
        Figure(f"load and check {len(documents)} templates", seconds, "s", f"<= {most:.2g}", seconds <= most, sum(bare), "json.loads", note)
    ]


def _read(document: bytes) -> object:
    return json.loads(document.decode("utf-8-sig"), strict=False)


def _seconds(work: Callable[[bytes], object], document: bytes) -> float:
    start = time.perf_counter()
    work(document)
    return time.perf_counter() - start
