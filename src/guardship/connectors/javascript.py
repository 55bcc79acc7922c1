"""The JavaScriptCode action: the code runs under Node in the job sandbox, without network, token or job API.

It gets `workflowContext` with the actions it names, the trigger and the workflow; what it returns is the action's body. It is plain
computation, so after a crash it is simply run again.
"""

import asyncio
import contextlib
import os
import queue
import shutil
import stat
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from guardship.playbooks.connector import (
    CallContext,
    CallFailed,
    ConnectorRequest,
    ConnectorResponse,
    Operation,
    Recovery,
    TriggerOffer,
)
from guardship.sandbox import python_runbook
from guardship.sandbox.python_runbook import Limits, Stream
from guardship.sandbox.walls import SLOT_COUNT, NoWalls, Place, WallKind, find_walls

MOST_RESULT_BYTES = 10 * 1024 * 1024
SLOTS = tuple(range(SLOT_COUNT - 4, SLOT_COUNT))  # runbooks take theirs from the other end
LIMITS = Limits(wall_seconds=30.0, cpu_seconds=10, memory_mb=256, process_count=40, file_mb=20)
_MOST_SAID = 2000


class JavaScript:
    name = "javascript"
    title = "Inline JavaScript"
    operations = (Operation("run", "POST", "", Recovery.RETRY, has_effect=False, timeout_seconds=120.0, summary="run code"),)
    triggers: tuple[TriggerOffer, ...] = ()

    def __init__(self, folder: Path, *, node: str | None = None) -> None:
        """`folder` holds one folder a run, gone with it. `node` is found by itself where it is not given."""
        self._folder = folder
        self._node = node or shutil.which("node")
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in SLOTS:
            self._slots.put(slot)
        self._walls: WallKind | None = None

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        code, given = str(request.options.get("code", "")), request.options.get("context")
        stop = threading.Event()
        try:
            return ConnectorResponse(200, {}, await asyncio.to_thread(self._run, code, given if isinstance(given, dict) else {}, stop))
        except asyncio.CancelledError:
            stop.set()
            raise

    def _run(self, code: str, given: dict[str, Any], stop: threading.Event) -> Any:
        if self._node is None:
            raise CallFailed("JavaScriptUnavailable", "Node is not installed on this machine, and JavaScriptCode needs it")
        try:
            self._walls = self._walls or find_walls(none_allowed=False)
        except NoWalls as error:
            raise CallFailed("JavaScriptUnavailable", str(error)) from error
        slot = self._slots.get()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        try:
            with tempfile.TemporaryDirectory(prefix="code-", dir=self._folder, ignore_cleanup_errors=True) as made:
                node = str(Path(self._node).resolve())
                return self._in_walls(code, given, Place(slot, Path(made), None, False, node=node), self._walls, stop)
        finally:
            self._slots.put(slot)

    def _in_walls(self, code: str, given: dict[str, Any], place: Place, kind: WallKind, stop: threading.Event) -> Any:
        said: list[str] = []

        def take(lines: Sequence[tuple[Stream, str]]) -> None:
            said.extend(text for stream, text in lines if stream is Stream.ERROR)

        outcome = python_runbook.run(code, given, place=place, kind=kind, limits=LIMITS, token="", take_lines=take, stop=stop)
        if outcome.reason is not None:
            raise CallFailed("JavaScriptStopped", f"the code was ended: {outcome.reason}")
        if outcome.exit_code != 0:
            raise CallFailed("JavaScriptFailed", " ".join(said)[-_MOST_SAID:] or f"Node ended with {outcome.exit_code}")
        return _result(place.folder / "result.json")


def _result(file: Path) -> Any:
    """What the code wrote; a link it put there leads nowhere."""
    with contextlib.suppress(OSError):
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as opened:
            state = os.fstat(opened.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > MOST_RESULT_BYTES:
                raise CallFailed("JavaScriptFailed", f"the result has more than {MOST_RESULT_BYTES} bytes, or is no file")
            try:
                return orjson.loads(opened.read())
            except orjson.JSONDecodeError as error:
                raise CallFailed("JavaScriptFailed", "the result is not JSON") from error
    raise CallFailed("JavaScriptFailed", "the code gave no result")
