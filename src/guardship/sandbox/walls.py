"""Which walls a job gets on this machine, and the command that puts them up.

In this order: bubblewrap; the same namespaces made by ourselves; none, if the admin allows it. As root each job slot has a uid of
its own, so that process limits hold (they are not enforced for root); an ordinary user has one uid only, and a watchdog counts.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from guardship.errors import Fault, GuardshipError
from guardship.sandbox.new_root import Mount

FIRST_SLOT_UID = 60100
SLOT_COUNT = 100
JOB_SIDE = Path(__file__).with_name("job_side")
INSIDE_JOB = "/job"
INSIDE_SOCKET = "/run/job.sock"
_INSIDE_JOB_SIDE = "/guardship/job_side"
_PROBE_SECONDS = 10
_NETWORK_FILES = ("/etc/resolv.conf", "/etc/ssl", "/etc/hosts", "/etc/nsswitch.conf")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class WallKind(StrEnum):
    BUBBLEWRAP = "bubblewrap"
    OWN = "namespaces"
    NONE = "none"


class NoWalls(GuardshipError):
    code = "sandbox.no_walls"
    fault = Fault.UNAVAILABLE

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            f"this machine allows no walls for jobs: {'; '.join(reasons)}",
            hint='install bubblewrap or allow user namespaces; or set job_isolation = "none", which is then shown on every job',
        )


@dataclass(frozen=True, slots=True)
class Place:
    """What one job gets of the machine: its slot (from 0), its folder, the socket of the job API, whether it may use the network.

    `pwsh` and `node` are the paths of PowerShell or Node where the code needs one; its folder is shown to the job.
    """

    slot: int
    folder: Path
    socket: Path | None
    has_network: bool
    pwsh: str | None = None
    node: str | None = None

    @property
    def uid(self) -> int:
        """The uid of the slot when the server is root; 0 says that there is only the server's own."""
        return FIRST_SLOT_UID + self.slot if os.geteuid() == 0 else 0


def find_walls(*, none_allowed: bool) -> WallKind:
    """Try what is there, once; raises NoWalls with each reason when nothing works and the admin did not allow jobs without."""
    reasons = []
    for kind in (WallKind.BUBBLEWRAP, WallKind.OWN):
        reason = _reason_against(kind)
        if reason is None:
            return kind
        reasons.append(reason)
    if none_allowed:
        return WallKind.NONE
    raise NoWalls(reasons)


def command_for(kind: WallKind, place: Place) -> list[str]:
    """The command that runs the launcher inside these walls; its standard input takes the launcher's order."""
    launcher = [interpreter(), "-I", f"{_INSIDE_JOB_SIDE}/launch.py"]
    match kind:
        case WallKind.BUBBLEWRAP:
            return _bubblewrap(place, launcher)
        case WallKind.OWN:
            return _own(place, launcher)
        case WallKind.NONE:
            return [interpreter(), "-I", str(JOB_SIDE / "launch.py")]


def interpreter() -> str:
    """The real interpreter behind a virtual environment's link."""
    return str(Path(sys.executable).resolve())


def prepare_folder(place: Place) -> None:
    """The job's folder belongs to the uid that the job runs as."""
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if place.uid:
        for path in (place.folder, *place.folder.rglob("*")):
            os.chown(path, place.uid, place.uid, follow_symlinks=False)


def _mounts(place: Place) -> list[Mount]:
    mounts = [Mount("/usr", "/usr")]
    prefix = str(Path(sys.base_prefix).resolve())
    if not prefix.startswith("/usr"):
        mounts.append(Mount(prefix, prefix))
    for program in filter(None, (place.pwsh, place.node)):
        home = str(Path(program).parent)
        mounts += [] if home.startswith("/usr") else [Mount(home, home)]
    mounts += [Mount(path, path) for path in ("/lib", "/lib64", "/bin") if Path(path).is_dir() and not Path(path).is_symlink()]
    mounts += [Mount(path, path) for path in ("/etc/ld.so.cache", *(_NETWORK_FILES if place.has_network else ())) if Path(path).exists()]
    mounts.append(Mount(str(JOB_SIDE), _INSIDE_JOB_SIDE))
    mounts.append(Mount(str(place.folder), INSIDE_JOB, is_writable=True))
    if place.socket is not None:
        mounts.append(Mount(str(place.socket), INSIDE_SOCKET, is_writable=True))
    return mounts


def _links() -> dict[str, str]:
    return {path: str(Path(path).readlink()) for path in ("/lib", "/lib64", "/bin") if Path(path).is_symlink()}


def _bubblewrap(place: Place, launcher: list[str]) -> list[str]:
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "LANG", "C.UTF-8"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    command += [] if place.has_network else ["--unshare-net"]
    if place.uid:
        command += ["--cap-add", "ALL"]
    else:
        command += ["--unshare-user", "--uid", str(FIRST_SLOT_UID + place.slot), "--gid", str(FIRST_SLOT_UID + place.slot)]
    # Parents that bubblewrap makes by itself are closed to the slot's uid.
    for folder in (
        "/run",
        "/guardship",
        *(str(parent) for parent in reversed(Path(sys.base_prefix).resolve().parents) if parent != Path("/")),
    ):
        command += ["--perms", "0755", "--dir", folder]
    for mount in _mounts(place):
        command += ["--bind" if mount.is_writable else "--ro-bind", mount.source, mount.target]
    for path, target in _links().items():
        command += ["--symlink", target, path]
    return [*command, "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--chdir", INSIDE_JOB, *launcher]  # noqa: S108


def _own(place: Place, launcher: list[str]) -> list[str]:
    mounts = _mounts(place) + [Mount(path, path, is_writable=True) for path in _DEVICES]
    plan = {
        "mounts": [asdict(mount) for mount in mounts],
        "links": _links(),
        "command": launcher,
        "has_network": place.has_network,
        "inside_uid": FIRST_SLOT_UID + place.slot,
        "inside_gid": FIRST_SLOT_UID + place.slot,
    }
    return [interpreter(), "-I", str(Path(__file__).with_name("own_walls.py")), json.dumps(plan)]


def _reason_against(kind: WallKind) -> str | None:
    if kind is WallKind.BUBBLEWRAP and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    try:
        done = subprocess.run(_probe_of(kind), capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{kind}: {error}"
    if done.returncode == 0:
        return None
    last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
    return f"{kind}: {last[0]}"


def _probe_of(kind: WallKind) -> list[str]:
    if kind is WallKind.BUBBLEWRAP:
        user = [] if os.geteuid() == 0 else ["--unshare-user"]
        return ["bwrap", *user, "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]
    plan = {
        "mounts": [asdict(Mount("/usr", "/usr")), asdict(Mount(str(JOB_SIDE), INSIDE_JOB))],
        "links": _links(),
        "command": ["/usr/bin/true"],
        "has_network": False,
        "inside_uid": FIRST_SLOT_UID,
        "inside_gid": FIRST_SLOT_UID,
    }
    return [interpreter(), "-I", str(Path(__file__).with_name("own_walls.py")), json.dumps(plan)]
