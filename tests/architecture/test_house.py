"""The rules of the house that no tool holds by itself: sizes, names, and where certain things may stand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/guardship"
MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 50
DRAWERS = re.compile(r"^(utils?|helpers?|common|misc|base|core|manager|service|handler)s?$")
CATCH_ALL_PLACES = {
    "storage/outbox.py",  # the outbox's delivery
    "playbooks/runner.py",  # the runner's turn
    "playbooks/taking_up.py",  # the same, where it begins
    "playbooks/calls.py",  # a connector call
    "playbooks/timers.py",  # a round of the timers
    "playbooks/journal_writer.py",  # the journal's thread, and who hears from it
    "playbooks/rounds.py",  # a round of the runner's upkeep
    "automation/workers.py",  # the job sandbox
    "sandbox/job_side/launch.py",  # the job's last words
    "agent/loop.py",  # the agent's loop
}


def files() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if "static" not in path.parts and "versions" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text("utf-8")) for path in files()}


def test_no_file_outgrows_its_room() -> None:
    long = {name_of(path): count for path in files() if (count := len(path.read_text("utf-8").splitlines())) > MOST_LINES_A_FILE}
    assert not long


def test_no_function_outgrows_a_screen(trees: dict[str, ast.Module]) -> None:
    long = {
        f"{name}:{node.name}": size
        for name, tree in trees.items()
        for node in functions(tree)
        if (size := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_A_FUNCTION
    }
    assert not long


def test_nothing_is_called_a_drawer(trees: dict[str, ast.Module]) -> None:
    rooms = {part for path in files() for part in (*path.relative_to(SOURCE).parts[:-1], path.stem)}
    classes = {node.name.lower() for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert not [name for name in rooms | classes if DRAWERS.match(name) and name not in {"base"}]


def test_every_init_is_empty() -> None:
    assert not [name_of(path) for path in files() if path.name == "__init__.py" and path.read_text().strip()]


def test_every_module_says_what_it_is_for(trees: dict[str, ast.Module]) -> None:
    silent = [name for name, tree in trees.items() if not name.endswith("__init__.py") and not ast.get_docstring(tree)]
    assert not silent


def test_the_environment_is_read_in_settings_alone(trees: dict[str, ast.Module]) -> None:
    readers = [
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and name != "settings.py"
    ]
    assert not readers


def test_everything_is_caught_only_where_the_house_allows(trees: dict[str, ast.Module]) -> None:
    found = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
        if not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
    }
    assert found <= CATCH_ALL_PLACES


def test_no_todo_without_an_issue() -> None:
    assert not [name_of(path) for path in files() if re.search(r"\b(TODO|FIXME|XXX)\b(?! ?\(?#\d)", path.read_text("utf-8"))]


def test_every_setting_is_in_the_docs() -> None:
    from guardship.settings import Settings

    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert not [name for name in Settings.model_fields if f"`{name}`" not in page]


def test_no_file_is_over_a_mebibyte() -> None:
    tracked = [
        path for folder in ("src", "tests", "docs", "examples", "requirements") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    assert not [str(path) for path in tracked if path.stat().st_size > 1024 * 1024 and "static" not in path.parts]
