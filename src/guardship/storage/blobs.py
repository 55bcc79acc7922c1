"""Large payloads: stored once by the hash of their bytes, compressed; to 1 MB in the table, above as a file."""

import hashlib
import os
import secrets
from datetime import datetime
from pathlib import Path

import zstandard
from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError, NotFound
from guardship.storage.schema import Base, Moment

MOST_BYTES = 100 * 1024 * 1024
IN_TABLE_BYTES = 1024 * 1024


class PayloadTooLarge(GuardshipError):
    code = "storage.payload_too_large"
    fault = Fault.TOO_LARGE


class Blob(Base):
    __tablename__ = "storage_blob"

    blob_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int]
    stored_size: Mapped[int]
    codec: Mapped[str] = mapped_column(String(10))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    path: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Moment)


class BlobUse(Base):
    """Who still needs a blob."""

    __tablename__ = "storage_blob_use"

    blob_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, session: Session, content: bytes, *, at: datetime) -> str:
        """Keep `content` and return its id, the SHA-256 of the bytes in hex. Part of the session's transaction."""
        if len(content) > MOST_BYTES:
            raise PayloadTooLarge(f"a payload of {len(content)} bytes is over the limit of {MOST_BYTES}")
        blob_id = hashlib.sha256(content).hexdigest()
        if session.get(Blob, blob_id) is not None:
            return blob_id
        packed = zstandard.ZstdCompressor(level=3).compress(content)
        in_table = len(packed) <= IN_TABLE_BYTES
        path = None if in_table else self._write_file(blob_id, packed)
        session.add(
            Blob(
                blob_id=blob_id,
                size=len(content),
                stored_size=len(packed),
                codec="zstd",
                content=packed if in_table else None,
                path=path,
                created_at=at,
            )
        )
        session.flush()
        return blob_id

    def get(self, session: Session, blob_id: str) -> bytes:
        row = session.get(Blob, blob_id)
        if row is None:
            raise NotFound("payload", blob_id)
        packed = row.content if row.content is not None else (self._folder / str(row.path)).read_bytes()
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MOST_BYTES)

    def _write_file(self, blob_id: str, packed: bytes) -> str:
        relative = Path(blob_id[:2]) / blob_id[2:]
        target = self._folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        with draft.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        return str(relative)
