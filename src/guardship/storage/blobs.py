"""Large payloads: stored once by the hash of their bytes, compressed; to 1 MB in the table, above as a file."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import zstandard
from sqlalchemy import LargeBinary, String, delete, select
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


def forget_uses(session: Session, owner_ids: Sequence[str]) -> None:
    """These owners need none of their payloads any more."""
    session.execute(delete(BlobUse).where(BlobUse.owner_id.in_(owner_ids)))


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, session: Session, content: bytes, *, at: datetime) -> str:
        """Keep `content` and return its id, the SHA-256 of the bytes in hex. Part of the session's transaction."""
        if len(content) > MOST_BYTES:
            raise PayloadTooLarge(f"a payload of {len(content)} bytes is over the limit of {MOST_BYTES}")
        blob_id = hashlib.sha256(content).hexdigest()
        if session.get(Blob, blob_id, with_for_update={"key_share": True, "read": True}) is not None:
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

    def take_unused(self, session: Session, *, before: datetime, limit: int) -> list[str | None]:
        """Take away payloads nobody needs any more; their files are to be removed once that is committed."""
        used = select(BlobUse.blob_id).where(BlobUse.blob_id == Blob.blob_id)
        query = select(Blob.blob_id, Blob.path).where(Blob.created_at < before, ~used.exists()).limit(limit)
        found = session.execute(query.with_for_update(of=Blob, skip_locked=True)).all()
        # Asked again under the lock: whoever puts the same payload just now has used it by then, or waits until it is gone.
        ids = [blob_id for blob_id, _ in found]
        needed = set(session.scalars(select(BlobUse.blob_id).where(BlobUse.blob_id.in_(ids))))
        session.execute(delete(Blob).where(Blob.blob_id.in_([blob_id for blob_id in ids if blob_id not in needed])))
        return [path for blob_id, path in found if blob_id not in needed]

    def remove_files(self, paths: Iterable[str | None]) -> None:
        for path in paths:
            if path is not None:
                (self._folder / path).unlink(missing_ok=True)

    def _write_file(self, blob_id: str, packed: bytes) -> str:
        """A name of its own each time: a payload that is put again while its old file goes keeps the new one."""
        relative = Path(blob_id[:2]) / f"{blob_id[2:]}.{secrets.token_hex(4)}"
        target = self._folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        with draft.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        return str(relative)
