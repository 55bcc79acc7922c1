"""Jobs inside walls: no root, no network, no look outside, and every limit is met by something that stops it.

The fork test makes at most 60 children, each of which ends by itself.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from guardship.sandbox.python_runbook import Limits, Outcome, Stream, run
from guardship.sandbox.walls import Place, WallKind, find_walls

KINDS = [WallKind.BUBBLEWRAP, WallKind.OWN]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes connections; the folder above it is closed to everybody else."""
    tmp_path.chmod(0o700)
    path = tmp_path / "job.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        yield path


class Job:
    def __init__(self, door: Path, kind: WallKind) -> None:
        self.place = Place(slot=7, folder=door.parent / "job", socket=door, has_network=False)
        self.kind = kind
        self.takes = 0
        self.lines: list[tuple[Stream, str]] = []
        self.stop = threading.Event()

    def run(
        self, script: str, *, parameters: dict[str, object] | None = None, limits: Limits | None = None, calls_main: bool = False
    ) -> Outcome:
        return run(
            script,
            parameters or {},
            calls_main=calls_main,
            place=self.place,
            kind=self.kind,
            limits=limits or Limits(wall_seconds=20),
            token="t",
            take_lines=self.take,
            stop=self.stop,
        )

    def take(self, lines: Sequence[tuple[Stream, str]]) -> None:
        self.takes += 1
        self.lines.extend(lines)

    @property
    def output(self) -> list[str]:
        return [text for stream, text in self.lines if stream is Stream.OUTPUT]


@pytest.fixture(params=KINDS, ids=str)
def job(request: pytest.FixtureRequest, door: Path) -> Job:
    return Job(door, request.param)


def test_walls_are_found_on_this_machine() -> None:
    assert find_walls(none_allowed=False) in KINDS


def test_a_job_is_not_root_and_sees_little(job: Job) -> None:
    outcome = job.run(
        "import os; print(os.getuid()); print(sorted(os.listdir('/'))); print(os.path.exists('/etc/passwd'), os.path.exists('/home'))"
    )
    assert outcome.exit_code == 0, job.lines
    assert int(job.output[0]) not in (0, os.getuid()) or os.getuid() != 0
    assert "work" not in job.output[1]
    assert job.output[2] == "False False"


@pytest.mark.usefixtures("as_root")
def test_as_root_each_slot_has_a_uid_of_its_own(job: Job) -> None:
    job.run("import os; print(os.getuid(), os.getgroups())")
    assert job.output == ["60107 []"]


def test_a_job_can_reach_nobody(job: Job) -> None:
    outcome = job.run(
        "import socket\n"
        "try:\n    socket.create_connection(('127.0.0.1', 9), 2)\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
    )
    assert outcome.exit_code == 0
    assert job.output[0] in {"ConnectionRefusedError", "OSError"}
    names = job.run("import socket; print([name for _, name in socket.if_nameindex()])")
    assert names.exit_code == 0
    assert "eth0" not in job.output[-1]


def test_a_job_cannot_write_outside_its_folder(job: Job) -> None:
    job.run(
        "import os\nfor place in ('/usr/x', '/x', '/guardship/job_side/x'):\n    try:\n        open(place, 'w')\n"
        "    except OSError as error:\n        print(error.strerror)\nopen('/job/ok', 'w').write('x'); print('ok')"
    )
    assert job.output[-1] == "ok"
    assert len(job.output) == 4


def test_a_job_that_wants_too_much_memory_fails(job: Job) -> None:
    outcome = job.run("x = bytearray(900 * 1024 * 1024)")
    assert outcome.exit_code != 0
    assert any("MemoryError" in text for _, text in job.lines)


def test_a_job_that_spins_is_ended_by_its_cpu_limit(job: Job) -> None:
    outcome = job.run("while True:\n    pass", limits=Limits(wall_seconds=20, cpu_seconds=1))
    assert outcome.exit_code != 0


def test_a_job_that_sleeps_too_long_is_ended(job: Job) -> None:
    outcome = job.run("import time; time.sleep(60)", limits=Limits(wall_seconds=1))
    assert outcome.reason == "it ran longer than 1 s"


def test_a_job_can_be_stopped(job: Job) -> None:
    threading.Timer(0.5, job.stop.set).start()
    assert job.run("import time; time.sleep(60)").reason == "stopped"


def test_a_job_cannot_fork_without_bound(job: Job) -> None:
    outcome = job.run(
        "import os, time\n"
        "made = 0\n"
        "for _ in range(60):\n"
        "    try:\n        child = os.fork()\n"
        "    except OSError:\n        break\n"
        "    if child == 0:\n        time.sleep(2); os._exit(0)\n"
        "    made += 1\n"
        "for _ in range(made):\n    os.wait()\n"
        "print(made)\n",
        limits=Limits(wall_seconds=20, process_count=20),
    )
    assert outcome.reason is not None or int(job.output[0]) < 60


def test_nothing_of_a_job_is_left(job: Job) -> None:
    before = _processes()
    job.run("import os, time\nif os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\nprint('parent ends')")
    assert job.output == ["parent ends"]
    assert not _processes() - before


def test_main_is_called_with_the_parameters_by_name(job: Job) -> None:
    job.run("def main(VMName: str, Count: int = 2):\n    print(VMName, Count)", parameters={"VMName": "web-1"}, calls_main=True)
    assert job.output == ["web-1 2"]


def test_an_error_names_the_line_of_the_runbook(job: Job) -> None:
    outcome = job.run("x = 1\nraise ValueError('no NIC')")
    assert outcome.exit_code == 1
    texts = [text for _, text in job.lines]
    assert any("line 2" in text for text in texts)
    assert texts[-1] == "ValueError: no NIC"


def test_the_launcher_says_which_limits_held(job: Job) -> None:
    held = job.run("pass").limits_held
    assert {"memory", "CPU time", "file size", "no new privileges"} <= set(held)
    assert ("processes" in held) == (os.geteuid() == 0)


def test_the_token_stays_out_of_arguments_and_environment(job: Job) -> None:
    job.run("import os\nprint(open('/proc/self/cmdline').read().replace(chr(0), ' '), dict(os.environ))")
    assert "'t'" not in job.output[0]
    assert "TOKEN" not in job.output[0].upper()


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_ordinary_user_gets_walls_and_a_counting_watchdog(kind: WallKind, tmp_path: Path) -> None:
    """The same from a process of uid 65534, with the interpreter and the clone shown to it in a root of its own."""
    script = Path(__file__).with_name("ordinary_user.py")
    done = subprocess.run([sys.executable, str(script), kind.value, str(tmp_path)], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["60103", "web-1"], done.stdout
    assert [line.startswith("ended: it had") for line in lines if line.startswith("ended")] == [True, True], done.stdout


def test_lines_that_come_at_once_are_taken_at_once(job: Job) -> None:
    job.run("print('x\\n' * 20_000)")
    assert len(job.output) == 20_000
    assert job.takes < 200


def _processes() -> set[int]:
    return {int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _is_ours(int(each.name))}


def _is_ours(pid: int) -> bool:
    try:
        return b"launch.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
