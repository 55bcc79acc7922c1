"""`guardship release`: put back what an isolation changed, through the server or, with `--offline`, without it."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from guardship.cli.local_server import LocalServer
from guardship.clock import SystemClock
from guardship.cloud.accounts import endpoint_of, find_account
from guardship.cloud.arm import Actor, ActorKind, ArmClient, Unobserved
from guardship.containment import way_back
from guardship.containment.isolation import has_drifted
from guardship.containment.surroundings import Surroundings
from guardship.errors import Fault, GuardshipError, counted
from guardship.identity import audit
from guardship.settings import Settings
from guardship.storage.database import Database, place_of
from guardship.storage.layout import Layout
from guardship.storage.vault import Vault
from guardship.telemetry import configure


class ServerRuns(GuardshipError):
    code = "cli.server_runs"
    fault = Fault.CONFLICT


class NotReleased(GuardshipError):
    code = "cli.not_released"
    fault = Fault.CONFLICT


class BadFile(GuardshipError):
    code = "cli.bad_isolation_file"
    fault = Fault.BAD_INPUT


def release(
    machine: Annotated[str, typer.Argument(help="Name of the machine, or with --offline the isolation's file.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit log.")] = "released from the command line",
    offline: Annotated[
        bool, typer.Option("--offline", help="Send the requests of an isolation's file to the cloud; the server may be dead.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also when somebody else has changed the interface since.")] = False,
) -> None:
    """Release an isolated machine: exactly what was is put back."""
    settings = Settings()
    if offline:
        configure(level="error", as_json=False)  # tries in between are no news; how it ended is
        typer.echo("Asking the cloud; if it does not answer, this tries for about a minute.", err=True)
        typer.echo(release_offline(settings, Path(machine), reason, is_forced=force))
        return
    typer.echo(release_online(settings, machine, reason, is_forced=force))


def release_online(settings: Settings, machine: str, reason: str, *, is_forced: bool) -> str:
    server = LocalServer.find(settings.home)
    isolation = server.ask("POST", f"machines/{machine}/release", {"reason": reason, "is_forced": is_forced})
    if isolation["state"] != "released":
        raise NotReleased(f"{machine} is {isolation['state']}, not released: {isolation.get('problem') or 'the server gave no reason'}")
    told = f"{machine} is released; isolation {isolation['number']} has ended."
    return f"{told} But: {isolation['problem']}." if isolation.get("problem") else told


def release_offline(settings: Settings, file: Path, reason: str, *, is_forced: bool = False) -> str:
    """Undo what the file says, with the account's secret from the data folder. The server finds out at its next start.

    Raises NotReleased before anything is sent when somebody else has changed a resource since, unless forced.
    """
    layout = Layout(settings.home)
    path = file if file.exists() else layout.isolations / file
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        undo: list[dict[str, Any]] = content["undo"]
        account = str(content["account"])
    except (OSError, ValueError, KeyError) as error:
        raise BadFile(f"{file} is not the file of an isolation: {error}", hint=f"they lie in {layout.isolations}") from error
    if not undo:
        return f"{file.name}: there is nothing to undo."
    with _alone(layout):
        database = Database(place_of(settings.database_url.get_secret_value(), layout.database))
        try:
            with database.reading() as session:
                endpoint = endpoint_of(find_account(session, account), Vault.open(layout.vault_key))
            _write_down(database, content, reason, "containment.offline_release")
            with closing(ArmClient(endpoint, Unobserved(), SystemClock())) as arm:
                _send(arm, undo, reason, is_forced=is_forced)
            _write_down(database, content, reason, way_back.RELEASED_OFFLINE)
        finally:
            database.close()
    return f"{content['what']}: {counted(len(undo), 'resource')} put back. The server ends the isolation at its next start."


def _send(arm: ArmClient, undo: list[dict[str, Any]], reason: str, *, is_forced: bool = False) -> None:
    """What is gone from the cloud counts as put back; what changes between our look and our write is left alone."""
    actor = Actor(ActorKind.USER, way_back.BY_HAND, reason=reason)
    around = Surroundings(arm)
    there = [(each, now) for each in undo if (now := around.get(each["resource_id"])) is not None]
    for each, now in there:
        if not is_forced and _is_foreign(each, now):
            name = each["resource_id"].rpartition("/")[2]
            raise NotReleased(
                f"{name} was changed by somebody else since it was isolated",
                hint="look at it in the cloud; release with --force to put back what it had before",
            )
    for each, now in there:
        path, etag = each["resource_id"], str(now.get("etag") or "") or None
        response = arm.call(each["method"], path, actor=actor, body=each["body"], etag=etag, api_version=each["api_version"])
        if response.status == 404:
            continue
        if response.status >= 300:
            raise NotReleased(f"the cloud answered {response.status} to {path}: {response.body}")
        arm.wait(response)


def _is_foreign(undo: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a resource is neither as the isolation left it nor back already."""
    is_back = undo["body"] is not None and not has_drifted(undo["body"], now)
    return has_drifted(undo.get("left"), now) and not is_back


def _write_down(database: Database, content: dict[str, Any], reason: str, act: str) -> None:
    at = SystemClock().now()
    detail = {"isolation_id": content.get("isolation_id"), "reason": reason}
    with database.transaction() as session:
        audit.record(session, who=way_back.BY_HAND, act=act, subject=str(content.get("machine_id")), at=at, detail=detail)


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """A server that lives knows more than the file: it must release."""
    with (layout.run / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServerRuns(
                "the server is running on this data folder", hint="release by the machine's name, without --offline"
            ) from error
        yield
