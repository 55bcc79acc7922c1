"""The first code inside a job's walls: drops the uid, sets the limits, says which held, then runs the runbook in this process.

Reads one line of JSON from standard input: `{"uid", "gid", "limits": {"memory_mb", "cpu_seconds", "process_count", "file_mb"},
"token", "socket", "parameters", "calls_main", "runbook", "pwsh", "node"}`. With `pwsh` or `node` that program runs it.
The token never touches an argument or the environment.
"""

import ctypes
import json
import os
import resource
import runpy
import signal
import sys
import traceback

LIMITS_PREFIX = "\x1eguardship-walls "


def main() -> None:
    order = json.loads(sys.stdin.readline())
    sys.stdin.close()
    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123  # stays open for the life of the job
    held = _drop_and_limit(order)
    print(LIMITS_PREFIX + json.dumps(held), file=sys.stderr, flush=True)
    if order["pwsh"]:
        _become_powershell(order)
    if order["node"]:
        _become_node(order)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  # before pathlib is worth its import
    import guardship_job  # found only inside the walls

    guardship_job.connect(order["socket"], order["token"])
    sys.argv = [order["runbook"], *(str(value) for value in order["parameters"].values())]  # Azure gives the values in order
    _run(order)


def _become_powershell(order: dict) -> None:  # type: ignore[type-arg]  # plain JSON
    """The token goes through a file of this job's own folder, which the module removes before the runbook's first line."""
    os.umask(0o077)
    with open(".token", "w") as file:  # noqa: PTH123
        file.write(order["token"])
    with open("parameters.json", "w") as file:  # noqa: PTH123
        json.dump(order["parameters"], file)
    environment = {"PATH": "/usr/bin", "HOME": "/tmp", "GUARDSHIP_JOB_SOCKET": order["socket"], "POWERSHELL_TELEMETRY_OPTOUT": "1"}  # noqa: S108
    environment |= {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "NO_COLOR": "1"}
    start = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Start-Runbook.ps1")  # noqa: PTH100, PTH118, PTH120
    os.execve(order["pwsh"], [order["pwsh"], "-NoProfile", "-NonInteractive", "-File", start], environment)


def _become_node(order: dict) -> None:  # type: ignore[type-arg]  # plain JSON
    """The code of a playbook's action: it gets no token and has no job API to ask."""
    os.umask(0o077)
    with open("context.json", "w") as file:  # noqa: PTH123
        json.dump(order["parameters"], file)
    start = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run-code.js")  # noqa: PTH100, PTH118, PTH120
    environment = {"PATH": "/usr/bin", "HOME": "/tmp", "NO_COLOR": "1", "OPENSSL_CONF": "/dev/null"}  # noqa: S108
    heap = f"--max-old-space-size={order['limits']['memory_mb']}"
    os.execve(order["node"], [order["node"], heap, start, order["runbook"]], environment)


def _run(order: dict) -> None:  # type: ignore[type-arg]  # plain JSON
    names = {name: value for name, value in order["parameters"].items() if name.isidentifier()}
    try:
        module = runpy.run_path(order["runbook"], init_globals={"parameters": order["parameters"], **names}, run_name="__main__")
        if order["calls_main"]:
            module["main"](**order["parameters"])
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # the job's last words
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if frame.filename == order["runbook"]]
        sys.stdout.flush()
        print("".join(traceback.format_list(theirs)) + "".join(traceback.format_exception_only(error)), file=sys.stderr, flush=True)
        os._exit(1)
    sys.stdout.flush()
    sys.stderr.flush()


def _drop_and_limit(order: dict) -> list[str]:  # type: ignore[type-arg]  # plain JSON
    held = []
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0 and order["uid"]:
        for capability in range(41):
            libc.prctl(24, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(order["gid"], order["gid"], order["gid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
        held.append("own uid")
    if libc.prctl(38, 1, 0, 0, 0) == 0:
        held.append("no new privileges")
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # after the change of uid, which clears it
    limits = order["limits"]
    mb = 1024 * 1024
    for name, kind, value in (
        # .NET and V8 reserve far more than they use
        *(() if order["pwsh"] or order["node"] else (("memory", resource.RLIMIT_AS, limits["memory_mb"] * mb),)),
        ("CPU time", resource.RLIMIT_CPU, limits["cpu_seconds"]),
        ("file size", resource.RLIMIT_FSIZE, limits["file_mb"] * mb),
        ("core dumps", resource.RLIMIT_CORE, 0),
        ("open files", resource.RLIMIT_NOFILE, 256),
    ):
        held += [name] if _limit(kind, value) else []
    if "own uid" in held and _limit(resource.RLIMIT_NPROC, limits["process_count"]):
        held.append("processes")  # counted per uid: of use only where the uid is the slot's own
    if os.getuid() == 0:
        print("a job never runs as root", file=sys.stderr, flush=True)
        os._exit(126)
    return held


def _limit(kind: int, value: int) -> bool:
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        return False
    return resource.getrlimit(kind)[1] == value


if __name__ == "__main__":
    main()
