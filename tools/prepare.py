"""Set up what the Makefile's targets need: the virtual environment from hashed pins, and the console, each only when it changed.

Standard library only: it runs before anything is installed. `prepare.py run` sets up to run, `prepare.py dev` to develop and test.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = ROOT / ".make"
WEB = ROOT / "web"
STATIC = ROOT / "src/guardship/api/static"
LEAST_PYTHON = (3, 11)
LEAST_NODE = (20, 19)


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    check_python()
    STAMPS.mkdir(exist_ok=True)
    prepare_venv("run.txt" if kind == "run" else "dev.txt")
    if kind != "python":
        check_node()
        prepare_console()


def check_python() -> None:
    if sys.version_info < LEAST_PYTHON:
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: apt-get install python3 python3-venv")
    try:
        import ensurepip  # noqa: F401  # Debian takes it out of python3
        import venv  # noqa: F401
    except ImportError:
        stop("Python's venv is missing: apt-get install python3-venv")


def check_node() -> None:
    node = shutil.which("node") or ""
    if not node or shutil.which("npm") is None:
        stop(
            "Node 20.19 or newer with npm is needed to build the console: see https://nodejs.org or your distribution's nodejs and npm packages"
        )
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < LEAST_NODE:
        stop(f"Node 20.19 or newer is needed to build the console, this is {version}: see https://nodejs.org")


def prepare_venv(pins: str) -> None:
    file = ROOT / "requirements" / pins
    wanted = digest([file, ROOT / "pyproject.toml"])
    stamp = STAMPS / f"venv-{pins}"
    python = VENV / "bin/python"
    if python.exists() and wanted == read(stamp):
        return
    say("Setting up .venv from hashed pins")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(file)], check=True)
    environment = dict(os.environ) | {"GUARDSHIP_SKIP_CONSOLE": "1"}
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True, env=environment)
    stamp.write_text(wanted)
    if pins == "dev.txt":  # holds all of the other, at the same pins
        (STAMPS / "venv-run.txt").write_text(digest([ROOT / "requirements/run.txt", ROOT / "pyproject.toml"]))


def prepare_console() -> None:
    lock = digest([WEB / "package-lock.json"])
    if not (WEB / "node_modules").exists() or read(STAMPS / "node_modules") != lock:
        say("Fetching what the console is built from")
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=WEB, check=True)
        (STAMPS / "node_modules").write_text(lock)
    sources = console_digest(WEB)
    if (STATIC / "index.html").exists() and read(STATIC / ".digest") == sources:
        return
    say("Building the console")
    command = ["node", "node_modules/vite/bin/vite.js", "build", "--outDir", str(STATIC), "--emptyOutDir", "--logLevel", "warn"]
    subprocess.run(command, cwd=WEB, check=True)
    (STATIC / ".digest").write_text(sources)


def console_digest(web: Path) -> str:
    """Over all that the built console comes from; `hatch_build.py` asks for the same."""
    files = [path for folder in ("src", "public") for path in sorted((web / folder).rglob("*")) if path.is_file()]
    return digest([*files, *(web / name for name in ("package-lock.json", "index.html", "vite.config.ts", "tsconfig.json"))])


def digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def read(stamp: Path) -> str:
    return stamp.read_text() if stamp.exists() else ""


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text} …", flush=True)


def stop(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
