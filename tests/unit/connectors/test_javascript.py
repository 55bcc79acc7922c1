import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.test_azure_automation import context
from tests.unit.playbooks.engine_room import after, compose, engine_room

from guardship.connectors.javascript import JavaScript
from guardship.playbooks.connector import CallFailed, ConnectorRequest


def run(home: Path, code: str, given: dict[str, Any] | None = None) -> Any:
    request = ConnectorRequest("run", "POST", "", {}, {}, {}, None, {"code": code, "context": given or {}})
    return asyncio.run(JavaScript(home).call(request, context())).body


def test_code_gets_its_context_and_gives_what_it_returns(tmp_path: Path) -> None:
    given = {"trigger": {"outputs": {"body": {"hosts": ["web-1", "web-2"]}}}}
    code = "return workflowContext.trigger.outputs.body.hosts.map((name) => name.toUpperCase());"
    assert run(tmp_path, code, given) == ["WEB-1", "WEB-2"]
    assert list(tmp_path.iterdir()) == []


def test_a_promise_is_waited_for_and_nothing_returned_is_null(tmp_path: Path) -> None:
    assert run(tmp_path, "return new Promise((done) => setTimeout(() => done({ok: true}), 10));") == {"ok": True}
    assert run(tmp_path, "const x = 1;") is None


@pytest.mark.parametrize(
    ("code", "reason"), [("return nope.x;", "nope is not defined"), ("return (", "Unexpected"), ("throw new Error('no')", "no")]
)
def test_code_that_fails_says_why(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(CallFailed, match=reason) as caught:
        run(tmp_path, code)
    assert caught.value.code == "JavaScriptFailed"


def test_code_reaches_no_network_and_no_file_of_ours(tmp_path: Path) -> None:
    code = """
      const fs = require ? require("fs") : null;
      return null;
    """
    with pytest.raises(CallFailed, match="require is not defined"):
        run(tmp_path, code)
    seen = run(tmp_path, "return process.getuid();")
    assert seen != 0
    listed = "return process.binding ? Object.keys(process.env) : [];"
    assert not any("GUARDSHIP" in name for name in run(tmp_path, listed))


def test_code_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardship.connectors import javascript
    from guardship.sandbox.python_runbook import Limits

    monkeypatch.setattr(javascript, "LIMITS", Limits(wall_seconds=1.5, cpu_seconds=5, memory_mb=256, process_count=40, file_mb=20))
    with pytest.raises(CallFailed, match="ended") as caught:
        run(tmp_path, "while (true) {}")
    assert caught.value.code == "JavaScriptStopped"


def test_an_action_gives_the_code_the_actions_that_it_names(tmp_path: Path) -> None:
    async def work() -> None:
        actions = {
            "Look up": compose({"host": "web-1"}, runAfter={}),
            "Code": {
                "type": "JavaScriptCode",
                "inputs": {"code": "return {to: workflowContext.actions['Look up'].outputs.host, mail: '@nobody'};"},
                "runAfter": after("Look up"),
            },
            "Say": compose("@body('Code')?['to']", runAfter=after("Code")),
        }
        async with engine_room(tmp_path, connectors=(JavaScript(tmp_path / "code"),)) as room:
            view = await room.run(actions)
            assert view["status"] == "Succeeded", view
            assert room.runs.payload(view["run_id"], "Say", "outputs") == "web-1"

    asyncio.run(work())
