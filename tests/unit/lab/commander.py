"""Plays the command in a process of its own: starts a lab, relays what it tells, and waits to be killed.

`commander.py FOLDER [UID [refused]]`: with a uid, root first becomes that ordinary user, in a root of its own where the interpreter can
be read; `refused` puts it where no further user namespace can be made. `commander.py FOLDER weak` stays root without CAP_SYS_ADMIN.
"""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

from guardship.lab.own_root import enter_own_root, interpreter, search_path
from guardship.lab.process import become_user_root

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _CAP_SYS_ADMIN = 4, 24, 21
_LAB = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from guardship.lab.__main__ import main; main()"


def main() -> None:
    folder, wish = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    uid = int(wish) if wish.isdecimal() else None
    if wish == "weak":
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_ADMIN, 0, 0, 0)
    program, path = interpreter(), search_path()
    if uid is not None:
        enter_own_root()
        folder = "/home-of-the-user"
        Path(folder).mkdir()
        os.chown(folder, uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if sys.argv[3:] == ["refused"]:
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # after a change of uid /proc/self is root's until we say so
        become_user_root()
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    lab = subprocess.Popen([program, "-I", "-B", "-c", _LAB, json.dumps(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert lab.stdin
    assert lab.stdout
    lab.stdin.write(json.dumps({"ca_dir": f"{folder}/ca"}).encode() + b"\n")
    lab.stdin.flush()
    for line in lab.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
