"""The dispatch that the settings ask for; only the one that is asked for is imported."""

from guardship.clock import Clock, to_micros
from guardship.errors import Fault, GuardshipError
from guardship.playbooks.dispatch.boundary import Dispatch
from guardship.playbooks.dispatch.local import LocalDispatch
from guardship.playbooks.journal import Journal
from guardship.settings import Dispatching, Settings
from guardship.storage.database import Database


class DispatchMissing(GuardshipError):
    code = "server.dispatch_missing"
    fault = Fault.BAD_INPUT


def dispatch_of(settings: Settings, database: Database, journal: Journal, clock: Clock) -> Dispatch:
    if settings.dispatch is Dispatching.LOCAL or database.is_sqlite:
        return LocalDispatch()
    from guardship.storage.postgres import PostgresServer  # late, like the two below: heavy, and only who asks for them needs them

    server = PostgresServer(settings.database_url.get_secret_value())
    if settings.dispatch is Dispatching.PROCRASTINATE:
        from guardship.playbooks.dispatch.procrastinate import ProcrastinateDispatch, prepare

        prepare(server)
        return ProcrastinateDispatch(server)
    try:
        from guardship.playbooks.dispatch.temporal import TemporalDispatch
    except ModuleNotFoundError as error:
        raise DispatchMissing("dispatch = temporal needs Temporal's client", hint="pip install 'guardship[temporal]'") from error
    return TemporalDispatch(
        settings.temporal_address,
        lambda run_id: journal.pause(run_id, to_micros(clock.now())),
        namespace=settings.temporal_namespace,
        news=server,
    )
