"""`pip install .` gives the command with the console inside."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_the_console_and_the_demo(tmp_path: Path) -> None:
    assert (ROOT / "src/guardship/api/static/index.html").exists(), "build the console first: tools/prepare.py dev"
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        entry_points = next(wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert "guardship = guardship.__main__:main" in entry_points
    assert "guardship/api/static/index.html" in names
    assert any(name.startswith("guardship/api/static/assets/") and name.endswith(".js.br") for name in names)
    for part in (
        "server/content/IsolateVM.py",
        "sandbox/job_side/launch.py",
        "sandbox/job_side/Guardship.psm1",
        "workspace/catalog/syslog.toml",
    ):
        assert f"guardship/{part}" in names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
