"""Run one runbook, Python or PowerShell, or the code of a playbook action, inside walls: read its streams, end what takes too much or too long."""

import json
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from guardship.sandbox.job_side.launch import LIMITS_PREFIX
from guardship.sandbox.walls import INSIDE_JOB, INSIDE_SOCKET, Place, WallKind, command_for, prepare_folder
from guardship.sandbox.watchdog import burden_of, kill_tree

_LONGEST_LINE = 1024 * 1024
_MOST_OUTPUT = 50 * 1024 * 1024
_LOOK_SECONDS = 0.1


class Stream(StrEnum):
    OUTPUT = "Output"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Limits:
    wall_seconds: float = 3 * 3600
    cpu_seconds: int = 3600
    memory_mb: int = 512
    process_count: int = 40
    file_mb: int = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `reason` says why we ended it, if we did; `limits_held` names the limits the launcher saw in force."""

    exit_code: int
    limits_held: tuple[str, ...]
    reason: str | None


LinesTaker = Callable[[Sequence[tuple[Stream, str]]], None]
"""Takes the lines that came at once, in their order."""


def run(
    script: str,
    parameters: dict[str, Any],
    *,
    calls_main: bool = False,
    place: Place,
    kind: WallKind,
    limits: Limits,
    token: str,
    take_lines: LinesTaker,
    stop: threading.Event,
) -> Outcome:
    """Run `script` to its end in this thread. Lines of standard output and error go to `take_lines`.

    With `calls_main` the launcher calls the script's `main` with the parameters by name; else they are its arguments and globals.
    """
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file, inside = _file_of(place), kind is not WallKind.NONE
    (place.folder / file).write_text(script, encoding="utf-8")
    prepare_folder(place)
    order = {
        "uid": place.uid,
        "gid": place.uid,
        "limits": {name: getattr(limits, name) for name in ("memory_mb", "cpu_seconds", "process_count", "file_mb")},
        "token": token,
        "socket": INSIDE_SOCKET if inside else str(place.socket or ""),
        "parameters": parameters,
        "calls_main": calls_main,
        "runbook": f"{INSIDE_JOB if inside else place.folder}/{file}",
        "pwsh": place.pwsh,
        "node": place.node,
    }
    process = subprocess.Popen(  # noqa: S603  # the command is ours
        command_for(kind, place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=place.folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        _hand_over(process, order)
        return _attend(process, limits, take_lines, stop)
    finally:
        kill_tree(process.pid)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _file_of(place: Place) -> str:
    return "runbook.ps1" if place.pwsh else "code.js" if place.node else "runbook.py"


def _hand_over(process: "subprocess.Popen[bytes]", order: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        process.stdin.close()
    except BrokenPipeError:  # it died before it read; its exit code and error stream tell why
        return
    finally:
        process.stdin = None


def _attend(process: "subprocess.Popen[bytes]", limits: Limits, take_lines: LinesTaker, stop: threading.Event) -> Outcome:
    reader = _Reader(process, take_lines)
    deadline = time.monotonic() + limits.wall_seconds
    next_look = 0.0
    reason = None
    while reader.is_open or process.poll() is None:
        reader.read(_LOOK_SECONDS)
        if reason is not None:
            continue  # it was killed; what it had written before is still read
        now = time.monotonic()
        reason = _reason_by_now(limits, reader, stop, is_late=now > deadline)
        if reason is None and now >= next_look:
            next_look = now + _LOOK_SECONDS
            reason = _reason_by_burden(process, limits)
        if reason is not None:
            kill_tree(process.pid)
    reader.flush()
    return Outcome(process.wait(), tuple(reader.limits_held), reason)


def _reason_by_now(limits: Limits, reader: "_Reader", stop: threading.Event, *, is_late: bool) -> str | None:
    """What costs nothing to ask: after every read."""
    if stop.is_set():
        return "stopped"
    if is_late:
        return f"it ran longer than {limits.wall_seconds:g} s"
    if reader.size > _MOST_OUTPUT:
        return f"it wrote more than {_MOST_OUTPUT // (1024 * 1024)} MB"
    return None


def _reason_by_burden(process: "subprocess.Popen[bytes]", limits: Limits) -> str | None:
    burden = burden_of(process.pid)
    if burden.process_count > limits.process_count + 2:  # the walls themselves are two
        return f"it had {burden.process_count} processes, {limits.process_count} are allowed"
    if burden.resident_mb > limits.memory_mb + 64:
        return f"it held {burden.resident_mb:.0f} MB of memory, {limits.memory_mb} are allowed"
    return None


class _Reader:
    """Both streams of the process, cut into lines; takes the launcher's first words for itself."""

    def __init__(self, process: "subprocess.Popen[bytes]", take_lines: LinesTaker) -> None:
        self._take_lines = take_lines
        self._selector = selectors.DefaultSelector()
        self._rest: dict[Stream, bytes] = {Stream.OUTPUT: b"", Stream.ERROR: b""}
        self.limits_held: list[str] = []
        self.size = 0
        for stream, pipe in ((Stream.OUTPUT, process.stdout), (Stream.ERROR, process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, stream)

    @property
    def is_open(self) -> bool:
        return bool(self._selector.get_map())

    def read(self, seconds: float) -> None:
        if not self.is_open:
            time.sleep(min(seconds, 0.005))
            return
        for key, _ in self._selector.select(seconds):
            content = os.read(key.fd, 65536)
            if not content:
                self._selector.unregister(key.fileobj)
                continue
            self.size += len(content)
            self._cut(key.data, content)

    def flush(self) -> None:
        for stream, rest in self._rest.items():
            if rest:
                self._give(stream, [rest])
        self._rest = {Stream.OUTPUT: b"", Stream.ERROR: b""}
        self._selector.close()

    def _cut(self, stream: Stream, content: bytes) -> None:
        *lines, rest = (self._rest[stream] + content).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._rest[stream] = rest
        self._give(stream, lines)

    def _give(self, stream: Stream, lines: list[bytes]) -> None:
        texts = []
        for line in lines:
            text = line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
            if stream is Stream.ERROR and text.startswith(LIMITS_PREFIX):
                self.limits_held = json.loads(text.removeprefix(LIMITS_PREFIX))
            elif text:
                texts.append((stream, text))
        if texts and self.size <= _MOST_OUTPUT:
            self._take_lines(texts)
