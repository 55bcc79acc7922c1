"""What the built console weighs, route by route, and that its catalogues say everything in each language."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from guardship.server.building import STATIC

WEB = Path(__file__).parents[2] / "web"
SHELL = 180_000  # bytes of gzip, with what every page shares
MORE = {
    "features/overview/page.tsx": 200_000,
    "features/incidents/graph.tsx": 150_000,
    "features/runs/graph.tsx": 90_000,
}
OTHERWISE = 50_000
ELK_WORKER = 480_000
_KEY = re.compile(r'"([a-zA-Z][\w.]*)":')


def manifest() -> dict[str, Any]:
    file = STATIC / ".vite/manifest.json"
    if not file.exists():
        pytest.fail("the console is not built: run `make run`, or `.venv/bin/python tools/prepare.py dev`", pytrace=False)
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def loaded_first(chunks: dict[str, Any], start: str) -> set[str]:
    """The files that come with a chunk: those it imports, and theirs."""
    files: set[str] = set()
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        files |= {chunks[name]["file"], *chunks[name].get("css", [])}
        waiting += chunks[name].get("imports", [])
    return files


def weight(files: set[str]) -> int:
    return sum(len(gzip.compress((STATIC / file).read_bytes(), 9)) for file in files)


def test_every_route_keeps_its_budget() -> None:
    chunks = manifest()
    shell = loaded_first(chunks, "index.html")
    assert weight(shell) <= SHELL
    pages = [name for name, chunk in chunks.items() if chunk.get("isDynamicEntry") and name.startswith("src/features/")]
    assert len(pages) >= 18
    over = {}
    for page in pages:
        name = page.removeprefix("src/")
        # A part that is loaded late is weighed with the page it belongs to.
        first = name.replace("graph.tsx", "page.tsx")
        files = shell | loaded_first(chunks, page) | loaded_first(chunks, f"src/{first}")
        limit = SHELL + MORE.get(name, OTHERWISE) + (OTHERWISE if name != first else 0)
        if weight(files) > limit:
            over[name] = (weight(files), limit)
    assert over == {}


def test_the_layout_works_in_a_worker_of_its_own() -> None:
    workers = list((STATIC / "assets").glob("elk-worker*.js"))
    assert len(workers) == 1
    assert weight({f"assets/{workers[0].name}"}) <= ELK_WORKER


def keys_of(name: str) -> set[str]:
    return set(_KEY.findall((WEB / "src/app" / name).read_text("utf-8")))


@pytest.mark.parametrize(("english", "german"), [("messages.en.ts", "messages.de.ts"), ("messages.pages.ts", "messages.pages.de.ts")])
def test_every_english_sentence_has_a_german_one(english: str, german: str) -> None:
    assert keys_of(english) - keys_of(german) == set()
    assert keys_of(german) - keys_of(english) == set()


def test_every_sentence_with_a_count_has_one_for_one_and_one_for_others() -> None:
    keys = keys_of("messages.en.ts") | keys_of("messages.pages.ts")
    ones, others = ({key.removesuffix(end) for key in keys if key.endswith(end)} for end in (".one", ".other"))
    assert ones == others
    assert ones & keys == set()


def test_every_sentence_that_a_page_asks_for_is_there() -> None:
    keys = keys_of("messages.en.ts") | keys_of("messages.pages.ts")
    known = keys | {key.removesuffix(".other") for key in keys}
    asked = {
        f"{file.relative_to(WEB)}: {key}"
        for file in (WEB / "src").rglob("*.tsx")
        for key in re.findall(r'\bsay\("([\w.]+)"', file.read_text("utf-8"))
        if key not in known
    }
    assert asked == set()
