"""The command as a person starts it: on ports of its own, with a data folder of its own, and never left running."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.flows.company import free_port

COMMAND = [str(Path(sys.executable).with_name("guardship"))]
PORTS = ("LISTEN_PORT", "CLIENTS_PORT", "LAB_ARM_PORT", "LAB_MAIL_PORT")


def environment_for(home: Path) -> dict[str, str]:
    ports = {f"GUARDSHIP_{name}": str(free_port()) for name in PORTS}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GUARDSHIP_")}
    return inherited | ports | {"GUARDSHIP_HOME": str(home)}


@contextmanager
def command_up(environment: dict[str, str], log: IO[str], *more: str) -> Iterator["subprocess.Popen[str]"]:
    """`guardship up` until the test ends it; one that does not end is killed, so that the test fails instead of waiting for ever."""
    command = subprocess.Popen([*COMMAND, "up", *more], env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        yield command
        command.wait(30)
    finally:
        command.kill()
        command.wait()
