"""The console's files: hashed names for ever, the page itself never from a cache; unknown paths are the page's own routes."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from guardship.api.access import DoorsHere
from guardship.errors import NotFound

router = APIRouter(include_in_schema=False)

CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "worker-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_NOT_BUILT = (
    "<!doctype html><html lang='en'><title>Guardship</title><h1>The console is not built</h1>"
    "<p>Run <code>make run</code> in the clone; the API works without it.</p></html>"
)
_PACKED = (("br", ".br"), ("gzip", ".gz"))


@router.get("/{path:path}")
def console(path: str, request: Request, doors: DoorsHere) -> Response:
    if path.startswith("api/"):
        raise NotFound("door", f"/{path}")
    static = doors.static.resolve()
    file = _found(static, path)
    if file is not None:
        return _file(file, request, is_hashed="assets" in file.relative_to(static).parts)
    index = doors.static / "index.html"
    if not index.exists():
        return HTMLResponse(_NOT_BUILT)
    return _file(index, request, is_hashed=False)


def _found(static: Path, path: str) -> Path | None:
    """The console's file of this path; None where it is one of the page's own routes."""
    try:
        file = (static / path).resolve()
        return file if path and file.is_file() and static in file.parents and not file.name.startswith(".") else None
    except (ValueError, OSError):  # a null byte, or longer than a file's name can be
        return None


def _file(file: Path, request: Request, *, is_hashed: bool) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable" if is_hashed else "no-cache", "Vary": "Accept-Encoding"}
    accepted = request.headers.get("Accept-Encoding", "")
    media_type = _MEDIA_TYPES.get(file.suffix)
    for encoding, suffix in _PACKED:
        packed = file.with_name(file.name + suffix)
        if encoding in accepted and packed.exists():
            return FileResponse(packed, media_type=media_type, headers=headers | {"Content-Encoding": encoding})
    return FileResponse(file, media_type=media_type, headers=headers)


_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
    ".json": "application/json",
    ".png": "image/png",
}
