"""`guardship release`: put back what an isolation changed, through the server or, with `--offline`, without it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from guardship.cli.local_server import LocalServer
from guardship.clock import SystemClock
from guardship.cloud.accounts import endpoint_of, find_account
from guardship.cloud.arm import Actor, ActorKind, ArmClient, Unobserved
from guardship.errors import Fault, GuardshipError
from guardship.settings import Settings
from guardship.storage.database import Database
from guardship.storage.layout import Layout
from guardship.storage.vault import Vault


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
        typer.echo(release_offline(settings, Path(machine)))
        return
    typer.echo(release_online(settings, machine, reason, is_forced=force))


def release_online(settings: Settings, machine: str, reason: str, *, is_forced: bool) -> str:
    server = LocalServer.find(settings.home)
    isolation = server.ask("POST", f"machines/{machine}/release", {"reason": reason, "is_forced": is_forced})
    return f"{machine} is released; isolation {isolation['number']} has ended."


def release_offline(settings: Settings, file: Path) -> str:
    """Undo what the file says, with the account's secret from the data folder. The server finds out at its next start."""
    path = file if file.exists() else Layout(settings.home).isolations / file
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        undo: list[dict[str, Any]] = content["undo"]
        account = str(content["account"])
    except (OSError, ValueError, KeyError) as error:
        raise BadFile(f"{file} is not the file of an isolation: {error}", hint=f"they lie in {Layout(settings.home).isolations}") from error
    if not undo:
        return f"{file.name}: there is nothing to undo."
    layout = Layout(settings.home)
    database = Database(layout.database)
    try:
        with database.reading() as session:
            endpoint = endpoint_of(find_account(session, account), Vault.open(layout.vault_key))
    finally:
        database.close()
    arm = ArmClient(endpoint, Unobserved(), SystemClock())
    actor = Actor(ActorKind.USER, "offline release", reason="released with the server dead")
    for each in undo:
        response = arm.call(each["method"], each["resource_id"], actor=actor, body=each["body"], api_version=each["api_version"])
        if response.status >= 300:
            raise BadFile(f"the cloud answered {response.status} to {each['resource_id']}: {response.body}")
        arm.wait(response)
    return f"{content['what']}: {len(undo)} resource(s) put back."
