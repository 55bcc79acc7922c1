"""A root of its own for the lab's uid: the interpreter, the packages and our code bind-mounted or copied where they were.

Started as root, the lab drops to a uid that may not enter a clone or an interpreter inside a 0700 folder. So, while still root, it
builds a small tree in memory that holds what the next stage imports, and nothing else of the host but /usr and /proc.
"""

import os
import shutil
import sys
from pathlib import Path

from guardship.errors import Fault, GuardshipError
from guardship.lab.process import CLONE_NEWNS, enter_root, mount, unshare

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x1000, 0x4000, 0x40000
_SYSTEM = ("usr", "lib", "lib32", "lib64", "libx32", "bin", "etc/ld.so.cache", "dev/null", "dev/urandom", "proc")
_TREES = ("/mnt", "/media", "/srv", "/opt", "/run", "/tmp")  # noqa: S108 (a mount point inside our own namespace)
_READABLE = 0o005


class Unreadable(GuardshipError):
    """Something the lab's uid needs cannot be read by others."""

    code = "lab.unreadable"
    fault = Fault.UNSUPPORTED


def interpreter() -> str:
    """The program itself, not a link in a venv: the venv is reached by `search_path`."""
    return str(Path(sys.executable).resolve())


def search_path() -> list[str]:
    """Where the next stage imports from: absolute, and only what is there."""
    entries = [str(Path(entry).resolve()) if entry else str(Path.cwd()) for entry in sys.path]
    return list(dict.fromkeys(entry for entry in entries if Path(entry).exists()))


def enter_own_root() -> None:
    """Change this process's root; call as root, single-threaded."""
    code = Path(__file__).resolve().parents[2]
    sources = _sources(code)
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    held = {source: os.open(source, os.O_PATH) for source in sources}  # in this namespace, before our tree hides any of them
    package = os.open(code / "guardship", os.O_PATH)
    tree = Path(next(place for place in _TREES if Path(place).is_dir()))
    mount("tmpfs", str(tree), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m")
    for name in _SYSTEM:
        _system(tree, Path("/") / name)
    for source, descriptor in held.items():
        _bind(tree, source, descriptor)
    _copy_package(package, tree / code.relative_to("/") / "guardship")
    for descriptor in (*held.values(), package):
        os.close(descriptor)
    enter_root(tree)


def _sources(code: Path) -> list[Path]:
    """What to bind: the interpreter's installation and the folders of the search path, none inside another; our own code is copied."""
    wanted = {Path(sys.base_prefix).resolve(), *(Path(entry) for entry in search_path() if Path(entry).is_dir())}
    usr = Path("/usr")
    wanted = {path for path in wanted if path not in (code, usr) and usr not in path.parents and path not in code.parents}
    kept = [path for path in wanted if not any(other in path.parents for other in wanted)]
    for path in kept:
        if path.stat().st_mode & _READABLE != _READABLE:
            raise Unreadable(f"the lab's uid cannot read {path}", hint=f"run: chmod -R o+rX {path}")
    return kept


def _system(tree: Path, source: Path) -> None:
    target = tree / source.relative_to("/")
    if source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.readlink())
    elif source.exists():
        _place(target, is_folder=source.is_dir())
        mount(str(source), str(target), None, MS_BIND | MS_REC)


def _bind(tree: Path, source: Path, descriptor: int) -> None:
    target = tree / source.relative_to("/")
    _place(target, is_folder=True)
    mount(f"/proc/self/fd/{descriptor}", str(target), None, MS_BIND | MS_REC)


def _place(target: Path, *, is_folder: bool) -> None:
    if is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()


def _copy_package(descriptor: int, target: Path) -> None:
    """Copied, because a clone made under a strict umask holds files that only its owner reads."""
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = {"__init__.py", "errors.py", "clock.py", "ids.py", "telemetry.py", "settings.py", "cloud", "identity", "lab", "__pycache__"}

    def others(folder: str, names: list[str]) -> set[str]:
        return set(names) - wanted if folder == f"/proc/self/fd/{descriptor}" else set()

    shutil.copytree(f"/proc/self/fd/{descriptor}", target, ignore=others, dirs_exist_ok=True)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            (Path(folder) / name).chmod(0o644)
