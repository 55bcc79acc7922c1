"""The body of a request, read piece by piece and only up to a bound."""

from fastapi import Request

from guardship.errors import Fault, GuardshipError


class BodyTooLarge(GuardshipError):
    code = "api.body_too_large"
    fault = Fault.TOO_LARGE

    def __init__(self, most_bytes: int, hint: str) -> None:
        super().__init__(f"the body is over {most_bytes // (1024 * 1024)} MB", hint=hint)


async def bounded(request: Request, most_bytes: int, *, hint: str) -> bytes:
    """Raises BodyTooLarge as soon as more than `most_bytes` have come; `hint` says what to send instead."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise BodyTooLarge(most_bytes, hint)
        parts.append(part)
    return b"".join(parts)
