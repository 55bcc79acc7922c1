"""Run by a test as root: becomes uid 65534 in a mount namespace that shows the interpreter and the source to it, then runs two jobs.

Prints the uid a job sees, then how jobs were ended that fork: 60 children at most, and 30 at most from a thread that is not the first.
"""

import os
import socket
import sys
import threading
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3] / "src"
sys.path.insert(0, str(SOURCE))

from guardship.sandbox import new_root  # noqa: E402  # the path comes first
from guardship.sandbox.python_runbook import Limits, run  # noqa: E402
from guardship.sandbox.walls import Place, WallKind  # noqa: E402

FORKS = "import os, time\nfor _ in range(60):\n    if os.fork() == 0:\n        time.sleep(3); os._exit(0)\n    time.sleep(0.02)\ntime.sleep(3)\n"
THREAD_FORKS = (
    "import threading, time\ndef fork():\n"
    + "".join(f"    {line}\n" for line in FORKS.replace("range(60)", "range(30)").splitlines())
    + "thread = threading.Thread(target=fork)\nthread.start()\nthread.join()\n"
)


def main() -> None:
    kind, folder = WallKind(sys.argv[1]), Path(sys.argv[2])
    os.chown(folder, 65534, 65534)
    prefix = str(Path(sys.base_prefix).resolve())
    new_root.unshare(new_root.CLONE_NEWNS)
    open_parents({Path(prefix), SOURCE, folder})
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()
        place = Place(slot=3, folder=folder / "job", socket=folder / "s", has_network=False)

        def start(script: str, count: int) -> object:
            return run(
                script,
                {"VMName": "web-1"},
                place=place,
                kind=kind,
                limits=Limits(wall_seconds=20, process_count=count),
                token="t",
                take_lines=lambda lines: print(*(text for _, text in lines), sep="\n", flush=True),
                stop=threading.Event(),
            )

        start("import os; print(os.getuid(), VMName)", 40)
        print("ended:", getattr(start(FORKS, 15), "reason", None), flush=True)
        print("ended:", getattr(start(THREAD_FORKS, 15), "reason", None), flush=True)


def open_parents(paths: set[Path]) -> None:
    """Make folders above these passable for others, inside this mount namespace's eyes only where they are closed."""
    closed = [parent for path in paths for parent in path.parents if not parent.stat().st_mode & 0o001]
    for parent in sorted(set(closed), key=lambda each: len(each.parts)):
        show_instead(parent, [path for path in paths if parent in path.parents])


def show_instead(parent: Path, paths: list[Path]) -> None:
    """Lay a tmpfs over a closed folder that holds bind mounts of just these paths."""
    libc = new_root._libc
    held = [(path, os.open(path, os.O_PATH)) for path in paths]
    assert libc.mount(None, b"/", None, new_root._MS_REC | new_root._MS_PRIVATE, None) == 0
    assert libc.mount(b"tmpfs", str(parent).encode(), b"tmpfs", 0, b"mode=0755") == 0
    for path, descriptor in held:
        path.mkdir(parents=True, exist_ok=True)
        assert libc.mount(f"/proc/self/fd/{descriptor}".encode(), str(path).encode(), None, new_root._MS_BIND | new_root._MS_REC, None) == 0


if __name__ == "__main__":
    main()
