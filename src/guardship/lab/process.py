"""What the lab asks of the kernel for its own processes: namespaces, and an end that comes with the parent's.

PR_SET_PDEATHSIG is cleared when the uid changes and speaks of the parent's *thread*: set it after the uid is dropped, from children
of a main thread, and compare getppid() afterwards.
"""

import ctypes
import os
import signal
from pathlib import Path

from guardship.errors import Fault, GuardshipError

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LIBC = ctypes.CDLL(None, use_errno=True)
_SWITCHES = (
    (Path("/proc/sys/user/max_user_namespaces"), "0", "the host allows no user namespaces (user.max_user_namespaces = 0)"),
    (
        Path("/proc/sys/kernel/unprivileged_userns_clone"),
        "0",
        "the host keeps user namespaces for root (kernel.unprivileged_userns_clone = 0)",
    ),
    (
        Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        "1",
        "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1)",
    ),
)


class NamespacesRefused(GuardshipError):
    """The host does not let us build namespaces; the message says why, as far as can be found out."""

    code = "lab.namespaces_refused"
    fault = Fault.UNSUPPORTED


def die_with(parent_pid: int) -> None:
    """End by SIGKILL when the parent does, also if it is gone already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def allow_no_new_privileges() -> None:
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def unshare(flags: int) -> None:
    if _LIBC.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise NamespacesRefused(_why(f"unshare said: {os.strerror(number)}"))


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    code = _LIBC.mount(source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), data.encode() or None)
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def enter_root(new_root: Path) -> None:
    """pivot_root, not chroot: a process in a chroot may not make user namespaces."""
    os.chdir(new_root)
    if _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], b".", b".") != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(new_root))
    _LIBC.umount2(b".", _MNT_DETACH)
    os.chdir("/")


def can_become(uid: int) -> bool:
    """Whether root here may change to this uid and gid: the root of a small user namespace (a rootless container) may not."""
    maps = [Path(f"/proc/self/{name}").read_text().splitlines() for name in ("uid_map", "gid_map")]
    is_mapped = all(any(int(first) <= uid < int(first) + int(count) for first, _, count in map(str.split, rows)) for rows in maps)
    return is_mapped and Path("/proc/self/setgroups").read_text().strip() == "allow"


def become_user_root() -> None:
    """A user and a mount namespace of our own, in which this uid counts as root. Single-threaded callers only."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise NamespacesRefused(_why(f"the uid map was refused: {error.strerror}")) from error


_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_MNT_DETACH = 2


def _why(said: str) -> str:
    for switch, value, reason in _SWITCHES:
        try:
            if switch.read_text().strip() == value:
                return f"{reason}; {said}"
        except OSError:
            continue
    return said
