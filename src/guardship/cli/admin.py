"""`guardship admin reset` lets a locked-out person in, on the machine itself; `guardship audit verify` checks the chain."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import select

from guardship.cli.failures import tell_failures
from guardship.cli.local_server import LocalServer, ServerNotRunning
from guardship.clock import SystemClock
from guardship.errors import NotFound, counted
from guardship.identity import audit, sessions, users
from guardship.identity.roles import Role
from guardship.identity.users import User
from guardship.settings import Settings
from guardship.storage.database import Database, place_of
from guardship.storage.layout import Layout

app = typer.Typer(help="Ways back in, for whoever owns the data folder.", no_args_is_help=True, add_completion=False)
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True, add_completion=False)


@app.command("reset")
@tell_failures
def reset(name: Annotated[str, typer.Argument(help="The user to let in.")]) -> None:
    """Print a one-time sign-in link for a user, end the pause after wrong tries, and take off the second factor."""
    settings, now = Settings(), SystemClock().now()
    with _database(settings) as database, database.transaction() as session:
        user = users.user_named(session, name)
        sessions.forget_tries(session, name)
        user.sealed_totp, user.disabled_at = None, None
        token = sessions.make_link(session, user, at=now)
        audit.record(session, who="local command", act="user.reset", subject=name, at=now)
    typer.echo(f"Sign in as {name} (this link works once, for 30 minutes): {address_of(settings)}/sign-in?link={token}")


@app.command("create")
@tell_failures
def create(
    name: Annotated[str, typer.Argument(help="Name of the new user.")],
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.ADMIN,
) -> None:
    """Create a user who comes in by a one-time link."""
    settings, now = Settings(), SystemClock().now()
    with _database(settings) as database, database.transaction() as session:
        user = users.create_user(session, name, role=role, password=None, at=now)
        token = sessions.make_link(session, user, at=now)
        audit.record(session, who="local command", act="user.created", subject=name, at=now, detail={"role": role})
    typer.echo(f"Sign in as {name} (this link works once, for 30 minutes): {address_of(settings)}/sign-in?link={token}")


@app.command("list")
@tell_failures
def list_users() -> None:
    """Print the users with their roles."""
    with _database(Settings()) as database, database.reading() as session:
        for user in session.scalars(select(User).order_by(User.name)):
            typer.echo(f"{user.name}\t{user.role}\t{'disabled' if user.disabled_at else 'active'}")


@audit_app.callback()
def _audit() -> None:
    """The audit log."""


@audit_app.command("verify")
@tell_failures
def verify(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Check that every entry follows the one before it; exit code 1 names the first that does not."""
    with _database(Settings()) as database, database.reading() as session:
        found = audit.verify(session)
    if as_json:
        typer.echo(json.dumps({"is_whole": found.broken_at is None, "entry_count": found.entry_count, "broken_at": found.broken_at}))
    else:
        typer.echo(f"{counted(found.entry_count, 'entry', 'entries')}: {found.reason}.")
    sys.exit(0 if found.broken_at is None else 1)


def address_of(settings: Settings) -> str:
    """Of the running server, else the one it would have."""
    try:
        return LocalServer.find(settings.home).url
    except ServerNotRunning:
        scheme = "http" if settings.is_loopback else "https"
        return settings.public_url.rstrip("/") or f"{scheme}://{settings.listen_host}:{settings.listen_port}"


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    path = Layout(settings.home).database
    url = settings.database_url.get_secret_value()
    if not url and not path.exists():
        raise NotFound("database", str(path), hint="start the server once, or name its data folder in GUARDSHIP_HOME")
    database = Database(place_of(url, path))
    try:
        yield database
    finally:
        database.close()
