"""Namespaces and a root of one's own, by system calls: what bubblewrap does, for machines that do not have it.

The new root is a tmpfs that holds bind mounts of what the child may see. As root it is built before the uid is dropped, so that a
tree inside somebody's 0700 home can be shown to another uid without opening the home.
"""

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_LAST_CAPABILITY = 40
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` of the old root seen at `target` of the new one."""

    source: str
    target: str
    is_writable: bool = False


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def map_to_self(uid: int, gid: int, *, inside_uid: int, inside_gid: int) -> None:
    """In a new user namespace: this one uid and gid, under the numbers given."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_gid} {gid} 1")


def enter_new_root(mounts: list[Mount], *, links: dict[str, str], with_proc: bool) -> None:
    """Make the root out of `mounts` and go there; the old root is gone. `links` are symbolic links to make, by their path."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE, None)
    # Held open before the tmpfs hides what lies below it.
    sources = [os.open(mount.source, os.O_PATH | os.O_CLOEXEC) for mount in mounts]
    base = "/tmp"  # noqa: S108  # hidden by a tmpfs of our own, seen by nobody else
    _mount("tmpfs", base, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=67108864")
    for mount, source in zip(mounts, sources, strict=True):
        _bind(mount, source, base)
        os.close(source)
    for path, target in links.items():
        Path(base + path).parent.mkdir(parents=True, exist_ok=True)
        Path(base + path).symlink_to(target)
    for folder, mode in (("/tmp", 0o1777), ("/proc", 0o555), ("/old", 0o700)):  # noqa: S108
        Path(base + folder).mkdir(exist_ok=True)
        Path(base + folder).chmod(mode)
    _pivot(base)
    if with_proc:
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV, None)
    _check(_libc.umount2(b"/old", _MNT_DETACH), "umount the old root")
    Path("/old").rmdir()
    _mount(None, "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV, None)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777,size=134217728")  # noqa: S108


def drop_to(uid: int, gid: int) -> None:
    """Give up root for good: no group, no capability, no way back."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    forbid_new_privileges()


def forbid_new_privileges() -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def die_with_parent(parent: int) -> None:
    """Be killed when the thread that made this process ends; call it after every change of uid, which clears it."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "parent death signal")
    if parent and os.getppid() != parent:
        sys.exit(1)


def _bind(mount: Mount, source: int, base: str) -> None:
    path, target = f"/proc/self/fd/{source}", Path(base + mount.target)
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(path, str(target), None, _MS_BIND | _MS_REC, None)
    if not mount.is_writable:
        flags = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID
        _mount(None, str(target), None, flags | _kept_flags(source), None)


def _kept_flags(source: int) -> int:
    """A user namespace may not clear flags that the mount had: repeat them."""
    flags = os.fstatvfs(source).f_flag
    kept = 0
    for theirs, ours in (
        (os.ST_NODEV, _MS_NODEV),
        (os.ST_NOEXEC, 8),
        (os.ST_NOATIME, 1024),
        (os.ST_NODIRATIME, 2048),
        (os.ST_RELATIME, 1 << 21),
    ):
        kept |= ours if flags & theirs else 0
    return kept


def _pivot(base: str) -> None:
    os.chdir(base)
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(number, b".", b"old"), "pivot_root")
    os.chdir("/")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    def raw(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    _check(_libc.mount(raw(source), raw(target), raw(kind), ctypes.c_ulong(flags), raw(data)), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
