"""The product runs from a clone that lies in a folder closed to everybody else, as root and as an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.flows.company import free_port

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 65534


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("uid", [0, ORDINARY], ids=["root", "ordinary user"])
def test_the_demo_runs_from_a_closed_clone(tmp_path: Path, uid: int) -> None:
    home = tmp_path / "closed"
    home.mkdir(mode=0o700)
    shutil.copytree(ROOT / "src", home / "clone/src", ignore=shutil.ignore_patterns("static", "__pycache__"))
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, uid)
    names = ("LISTEN_PORT", "CLIENTS_PORT", "LAB_ARM_PORT", "LAB_MAIL_PORT")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARDSHIP_")}
    environment |= {f"GUARDSHIP_{name}": str(free_port()) for name in names} | {"GUARDSHIP_HOME": str(home / "data")}
    script = Path(__file__).with_name("closed_clone.py")
    done = subprocess.run(
        [sys.executable, str(script), str(home / "clone"), str(uid)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    logs = [file.read_text()[-1500:] for file in (home / "data").glob("*.log")] if (home / "data").exists() else []
    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-1500:], logs)
    result = json.loads(done.stdout)
    assert result["contained"] is True
    assert result["metadata_service_blocked"] == "verified"
