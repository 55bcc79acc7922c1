"""Errors as problem documents (RFC 9457), with the place in a text and the way out where there is one."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from guardship.errors import Fault, GuardshipError, TextError
from guardship.telemetry import get_log

log = get_log("api")

MEDIA_TYPE = "application/problem+json"
_STATUS = {
    Fault.BAD_INPUT: 400,
    Fault.NOT_SIGNED_IN: 401,
    Fault.FORBIDDEN: 403,
    Fault.NOT_FOUND: 404,
    Fault.CONFLICT: 409,
    Fault.TOO_LARGE: 413,
    Fault.TOO_MANY: 429,
    Fault.UNSUPPORTED: 501,
    Fault.UNAVAILABLE: 503,
    Fault.INTERNAL: 500,
}


class Problem(BaseModel):
    """What went wrong. `code` is stable; `hint` is the way out; `line`, `column` and `path` name the place in what was sent."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    path: str | None = None
    line: int | None = None
    column: int | None = None
    start: int | None = None
    end: int | None = None
    extra: dict[str, str] | None = None


def status_of(error: GuardshipError) -> int:
    return _STATUS[error.fault]


def problem_of(error: GuardshipError) -> Problem:
    status = status_of(error)
    problem = Problem(title=_title(status), status=status, detail=error.message, code=error.code, hint=error.hint)
    if isinstance(error, TextError):
        problem.path = error.path
        if error.span is not None:
            problem.line, problem.column = error.span.line, error.span.column
            problem.start, problem.end = error.span.start, error.span.end
    if approval_id := getattr(error, "approval_id", None):
        problem.extra = {"approval_id": approval_id}
    return problem


def answer(error: GuardshipError) -> JSONResponse:
    problem = problem_of(error)
    headers = {"Retry-After": "5"} if problem.status in (429, 503) else None
    return JSONResponse(problem.model_dump(exclude_none=True), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    @app.exception_handler(GuardshipError)
    async def _known(_: Request, error: GuardshipError) -> JSONResponse:
        if error.fault is Fault.INTERNAL:
            log.error("api.failed", code=error.code, reason=str(error))
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        problem = Problem(title=_title(400), status=400, detail=f"{path}: {first['msg']}", code="api.invalid", path=path)
        return JSONResponse(problem.model_dump(exclude_none=True), status_code=400, media_type=MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        problem = Problem(title=_title(error.status_code), status=error.status_code, detail=str(error.detail), code="api.http")
        return JSONResponse(
            problem.model_dump(exclude_none=True), status_code=error.status_code, media_type=MEDIA_TYPE, headers=error.headers
        )

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        log.exception("api.broke", path=request.url.path, exc_info=error)
        problem = Problem(
            title=_title(500),
            status=500,
            detail="the server met an error that it did not expect",
            code="api.broke",
            hint="its log has the trace",
        )
        return JSONResponse(problem.model_dump(exclude_none=True), status_code=500, media_type=MEDIA_TYPE)


def _title(status: int) -> str:
    return {
        400: "Bad input",
        401: "Not signed in",
        403: "Not allowed",
        404: "Not found",
        405: "Not possible here",
        409: "Conflict",
        413: "Too large",
        415: "Unknown kind of content",
        429: "Too many",
        500: "Failed",
        501: "Not supported",
        503: "Not available now",
    }.get(status, "Failed")
