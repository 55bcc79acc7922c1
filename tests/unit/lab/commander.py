"""Plays the command in a process of its own: starts a lab, relays what it tells, and waits to be killed.

`commander.py FOLDER [UID]`: with a uid, root first becomes that ordinary user, in a root of its own where the interpreter can be read.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from guardship.lab.own_root import enter_own_root, interpreter, search_path

_LAB = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from guardship.lab.__main__ import main; main()"


def main() -> None:
    folder, uid = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
    program, path = interpreter(), search_path()
    if uid is not None:
        enter_own_root()
        folder = "/home-of-the-user"
        Path(folder).mkdir()
        os.chown(folder, uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
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
