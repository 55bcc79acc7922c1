"""The commands. All speak to a running server over HTTP, but `up`, `demo`, `database`, `admin`, `audit` and `release --offline`."""

import importlib.metadata

import typer

from guardship.cli import admin, database, up
from guardship.cli.failures import tell_failures
from guardship.cli.release import release

app = typer.Typer(
    name="guardship",
    help="Sees, knows, acts and keeps clean: detection, playbooks, containment and inventory in one process.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(tell_failures(up.up))
app.command("demo")(tell_failures(up.demo))
app.command("release")(tell_failures(release))
app.add_typer(database.app, name="database")
app.add_typer(admin.app, name="admin")
app.add_typer(admin.audit_app, name="audit")


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(importlib.metadata.version("guardship"))
