"""Walls without bubblewrap: new namespaces, a root of their own, then the job's launcher as their first process.

Run as a script: `python -I own_walls.py '<json of a WallPlan>'`. What it hands on to the launcher's standard input is untouched.
"""

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from guardship.sandbox import new_root  # the package's own path is put in front first


def main() -> int:
    plan = json.loads(sys.argv[1])
    parent = os.getppid()
    uid, gid = os.getuid(), os.getgid()
    flags = new_root.CLONE_NEWNS | new_root.CLONE_NEWPID | new_root.CLONE_NEWIPC | new_root.CLONE_NEWUTS
    if not plan["has_network"]:
        flags |= new_root.CLONE_NEWNET
    if uid != 0:
        flags |= new_root.CLONE_NEWUSER
    new_root.unshare(flags)
    if uid != 0:
        new_root.map_to_self(uid, gid, inside_uid=plan["inside_uid"], inside_gid=plan["inside_gid"])
    new_root.die_with_parent(parent)
    first = os.fork()
    if first == 0:
        _become_first_process(plan)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


def _become_first_process(plan: dict[str, object]) -> None:
    new_root.die_with_parent(0)
    mounts = [new_root.Mount(**mount) for mount in plan["mounts"]]  # type: ignore[attr-defined]  # plain JSON
    links: dict[str, str] = plan["links"]  # type: ignore[assignment]  # plain JSON
    new_root.enter_new_root(mounts, links=links, with_proc=True)
    new_root.forbid_new_privileges()
    command: list[str] = plan["command"]  # type: ignore[assignment]  # plain JSON
    os.chdir("/job")
    os.execve(command[0], command, {"PATH": "/usr/bin", "LANG": "C.UTF-8"})


if __name__ == "__main__":
    sys.exit(main())
