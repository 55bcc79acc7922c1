"""The door of the news: server-sent events to pages and progress displays."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from guardship.api.access import DoorsHere, Reader
from guardship.clock import iso

router = APIRouter(tags=["news"])


@router.get("/news", response_class=StreamingResponse)
async def stream(request: Request, doors: DoorsHere, caller: Reader) -> StreamingResponse:
    """Server-sent events: `data: {"kind", "id", "at", …}`."""

    async def lines() -> AsyncIterator[str]:
        yield f"retry: 2000\ndata: {json.dumps({'kind': 'hello', 'id': '', 'at': iso(doors.clock.now())})}\n\n"
        async for item in doors.news.listen():
            if await request.is_disconnected():
                return
            yield f": {iso(doors.clock.now())}\n\n" if item is None else f"data: {json.dumps(item)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
