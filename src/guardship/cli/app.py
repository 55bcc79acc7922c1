"""The commands. All speak to a running server over HTTP, but `up`, `demo`, `database`, `admin`, `audit` and `release --offline`.

A command's module is imported when the command is asked for: `up` must not wait for what only `release` needs.
"""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from guardship.cli.failures import tell_failures

_PLACES = {
    "up": "guardship.cli.up:up",
    "demo": "guardship.cli.up:demo",
    "release": "guardship.cli.release:release",
    "database": "guardship.cli.database:app",
    "admin": "guardship.cli.admin:app",
    "audit": "guardship.cli.admin:audit_app",
    "version": "guardship.cli.version:version",
}


class LateCommands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = _PLACES.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(tell_failures(found))
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="guardship",
    cls=LateCommands,
    help="Sees, knows, acts and keeps clean: detection, playbooks, containment and inventory in one process.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def main() -> None:
    """Sees, knows, acts and keeps clean: detection, playbooks, containment and inventory in one process."""
