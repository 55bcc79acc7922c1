"""The back end `lab`: operations that act on our own stores, each a plain function, run in a thread.

What a function refuses becomes the answer a service would give: 400 and the field that is wrong, 404, 409; what is away may be retried.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from guardship.errors import Fault, GuardshipError
from guardship.playbooks.connector import CallContext, CallFailed, CallHeld, ConnectorRequest, ConnectorResponse

JSON = {"Content-Type": "application/json"}
_STATUS = {
    Fault.BAD_INPUT: 400,
    Fault.FORBIDDEN: 403,
    Fault.NOT_FOUND: 404,
    Fault.CONFLICT: 409,
    Fault.TOO_LARGE: 413,
    Fault.TOO_MANY: 429,
    Fault.UNSUPPORTED: 400,
}

Act = Callable[[ConnectorRequest, CallContext], ConnectorResponse]
Probe = Callable[[ConnectorRequest, CallContext], ConnectorResponse | None]
Given = TypeVar("Given")


class BadInput(GuardshipError):
    code = "BadRequest"
    fault = Fault.BAD_INPUT


class Input(BaseModel):
    """What an operation takes: published names in any case, what it does not know left alone."""

    model_config = ConfigDict(alias_generator=to_camel, coerce_numbers_to_str=True, frozen=True)

    @classmethod
    def read(cls, given: Any, what: str = "body") -> Self:
        """Raises BadInput, which names the field."""
        if not isinstance(given, Mapping):
            raise BadInput(f"{what}: an object is needed, with {', '.join(cls._needed()) or 'the inputs'}")
        names = {str(field.alias).lower(): str(field.alias) for field in cls.model_fields.values()}
        try:
            return cls.model_validate({names.get(str(name).lower(), str(name)): value for name, value in given.items()})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in first["loc"]) or what
            raise BadInput(f"{place}: {first['msg'].lower()}") from error

    @classmethod
    def _needed(cls) -> list[str]:
        return [str(field.alias) for field in cls.model_fields.values() if field.is_required()]


class Acting:
    def __init__(self, connector: str, acts: Mapping[str, Act], probes: Mapping[str, Probe] | None = None) -> None:
        self._connector = connector
        self._acts = acts
        self._probes = probes or {}

    def missing(self, operation: str, connection: Mapping[str, Any]) -> str | None:
        return None if operation in self._acts else f"{self._connector}/{operation} is not built here"

    async def call(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        return await asyncio.to_thread(_told, self._acts[request.operation], request, context)

    async def probe(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse | None:
        probe = self._probes.get(request.operation)
        return await asyncio.to_thread(_told, probe, request, context) if probe else None


def _told(
    act: Callable[[ConnectorRequest, CallContext], Given], request: ConnectorRequest, context: CallContext
) -> Given | ConnectorResponse:
    try:
        return act(request, context)
    except (CallFailed, CallHeld):
        raise
    except GuardshipError as error:
        if error.fault is Fault.UNAVAILABLE:
            raise CallFailed(error.code, str(error), may_retry=True) from error
        return ConnectorResponse(_STATUS.get(error.fault, 500), JSON, {"error": {"code": error.code, "message": str(error)}})


def answer(body: Any, status: int = 200) -> ConnectorResponse:
    return ConnectorResponse(status, JSON, body)
