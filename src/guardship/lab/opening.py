"""How the lab starts: from the command's child, perhaps root, to an unprivileged process with namespaces.

1. Read the configuration; open the ports on the host's loopback, where clients outside reach them; sign ARM's certificate.
2. As root: enter a root of its own, drop to uid and gid 60099, execute again (until then /proc/self belongs to root and a user
   namespace would be refused). As an ordinary user: go on.
3. Tie the process's life to its parent's; make the user namespace; fork the machines before any thread runs; play.
Where a namespace is refused, the lab says why and plays simulated.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from guardship.errors import Fault, GuardshipError
from guardship.identity.certificates import issue_server_certificate
from guardship.lab.company import hosts
from guardship.lab.config import Handover, LabConfig
from guardship.lab.events import Events
from guardship.lab.fabric import Fork, fork_machines
from guardship.lab.own_root import enter_own_root, interpreter, search_path
from guardship.lab.play import Lab
from guardship.lab.process import NamespacesRefused, allow_no_new_privileges, become_user_root, can_become, die_with

LAB_UID = 60099
_LINE_LIMIT = 1 << 20
_AGAIN = "import json, os, sys; sys.path[:] = json.loads(sys.argv[1]); from guardship.lab.opening import resume; resume(int(sys.argv[2]))"


class LabPortTaken(GuardshipError):
    code = "lab.port_taken"
    fault = Fault.CONFLICT


def open_lab() -> int:
    """The whole life of `python -m guardship.lab`."""
    started_at = time.monotonic()
    parent_pid = os.getppid()
    die_with(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the command ends us in its order
    events = Events()
    try:
        line = _first_line()
        config = LabConfig.read(line)
        certificate = issue_server_certificate(config.ca_dir, ("localhost", "127.0.0.1", "::1", config.arm_host), whose="Guardship lab")
        arm = _listening(config.arm_host, config.arm_port, "LAB_ARM_PORT")
        smtp = _listening("127.0.0.1", config.smtp_port, "LAB_MAIL_PORT")
    except (GuardshipError, OSError) as error:
        return _refuse(events, error)
    handover = Handover(line, certificate, arm.fileno(), smtp.fileno(), parent_pid, started_at)
    if os.getuid() != 0 or not can_become(LAB_UID):
        return play(handover)
    try:
        program, path = interpreter(), search_path()
        enter_own_root()
    except NamespacesRefused as refused:
        # A container's root that may not mount may not make namespaces either; all we need is imported by now.
        _drop()
        return play(handover, refusal=f"root may not make a root of its own for the lab: {refused}")
    except (GuardshipError, OSError) as error:
        return _refuse(events, error)
    return _drop_and_execute(handover, program, path)


def _refuse(events: Events, error: GuardshipError | OSError) -> int:
    why, hint = (error.message, error.hint) if isinstance(error, GuardshipError) else (str(error), None)
    events.tell_now("failed", {"why": why, "hint": hint})
    return 1


def resume(descriptor: int) -> NoReturn:
    """The second stage of a lab started as root."""
    with os.fdopen(descriptor) as file:
        handover = Handover.read(file.read())
    code = play(handover)
    sys.stdout.flush()
    os._exit(code)


def play(handover: Handover, *, refusal: str = "") -> int:
    die_with(handover.parent_pid)
    allow_no_new_privileges()
    config = LabConfig.read(handover.config_line)
    events = Events()
    forks: tuple[Fork, ...] | None = None
    with_ipv6 = config.with_ipv6 and Path("/proc/net/if_inet6").exists()
    if config.is_simulated:
        refusal = "asked for by the configuration"
    elif not refusal:
        try:
            become_user_root()
            forks = fork_machines(hosts(with_ipv6=with_ipv6))
        except (NamespacesRefused, OSError) as error:
            forks, refusal = None, str(error)
    lab = Lab(config, handover, events, with_ipv6=with_ipv6)
    asyncio.run(lab.play(forks, refusal))
    events.close()
    return 0


def _drop_and_execute(handover: Handover, program: str, path: list[str]) -> NoReturn:
    descriptor = os.memfd_create("lab-handover", 0)
    os.write(descriptor, handover.written().encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    for inherited in (descriptor, handover.arm_socket, handover.smtp_socket):
        os.set_inheritable(inherited, True)
    _drop()
    os.execve(program, [program, "-I", "-B", "-c", _AGAIN, json.dumps(path), str(descriptor)], {"LANG": "C.UTF-8"})  # noqa: S606


def _drop() -> None:
    os.setgroups([])
    os.setresgid(LAB_UID, LAB_UID, LAB_UID)
    os.setresuid(LAB_UID, LAB_UID, LAB_UID)
    allow_no_new_privileges()


def _first_line() -> str:
    """Byte by byte: what follows belongs to the next stage."""
    line = bytearray()
    while len(line) < _LINE_LIMIT and (byte := os.read(0, 1)) and byte != b"\n":
        line += byte
    return line.decode()


def _listening(host: str, port: int, setting: str) -> socket.socket:
    """With IPPROTO_TCP: for protocol 0 asyncio sets no TCP_NODELAY, and an answer takes 40 ms longer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port == 0:
        # Bound by number all the same: only then does the socket keep its port while the door refuses.
        with socket.socket(family, socket.SOCK_STREAM) as free:
            free.bind((host, 0))
            port = free.getsockname()[1]
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise LabPortTaken(f"port {port} of {host} cannot be used: {error.strerror}", hint=f"set GUARDSHIP_{setting} to another") from error
    return listening
