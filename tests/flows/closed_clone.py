"""Run by a test as root: the demo from a copy of the source inside a 0700 folder, as root or, with a uid, as an ordinary user.

The ordinary user gets a mount namespace that shows the interpreter and the virtual environment, which may lie in root's home.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.unit.sandbox.ordinary_user import open_parents  # noqa: E402

from guardship.sandbox import new_root  # noqa: E402  # the path comes first


def main() -> None:
    clone, uid = Path(sys.argv[1]), int(sys.argv[2])
    command = [sys.executable, "-m", "guardship", "demo", "--once", "--json", "--release"]
    environment = dict(os.environ) | {"PYTHONPATH": str(clone / "src"), "HOME": str(clone.parent)}
    if uid:
        new_root.unshare(new_root.CLONE_NEWNS)
        open_parents({Path(sys.base_prefix).resolve(), ROOT, clone.parent})
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.chdir(clone)
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
