"""The way back of an isolation: what has to be put back, and the readable file of it that lies beside the database.

A resource that the isolation changed goes back to what it was before the first write that belongs to the isolation. What the last write
left is kept beside it: where the cloud shows something else by then, somebody else was there.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guardship.clock import iso
from guardship.cloud.arm import WriteKind
from guardship.containment.isolations import Isolation, Sort, WriteRow, WriteState

BY_HAND = "offline release"  # who puts back what a file says, while the server is dead
RELEASED_OFFLINE = "containment.offline_released"

_KEY = "release"


@dataclass(frozen=True, slots=True)
class Undo:
    """The request that puts one resource back; DELETE for a security rule that the isolation made."""

    method: str
    resource_id: str
    api_version: str
    body: Any
    left: Any = None  # what the isolation's last write left, as the cloud told it


def undo_of(writes: list[WriteRow]) -> list[Undo]:
    """Newest resource first; of the writes that were sent, whether or not their answer came."""
    first: dict[str, WriteRow] = {}
    left: dict[str, Any] = {}
    changed = set()
    for write in writes:
        if write.state not in (WriteState.DONE, WriteState.SENT):
            continue
        first.setdefault(write.resource_id.lower(), write)
        if write.after is not None:
            left[write.resource_id.lower()] = write.after
        if write.sort == Sort.ISOLATES:
            changed.add(write.resource_id.lower())
    undo = [_undo(write, left.get(key)) for key, write in reversed(first.items()) if key in changed]
    return [each for each in undo if each is not None]


def release_key(isolation_id: str, resource_id: str) -> str:
    return f"{_KEY}:{isolation_id}:{resource_id.lower()[-60:]}"


def is_release_key(key: str | None, isolation_id: str) -> bool:
    return (key or "").startswith(f"{_KEY}:{isolation_id}:")


def save_file(folder: Path, isolation: Isolation, undo: list[Undo], endpoint: dict[str, str]) -> Path:
    """Write `<number>-<machine>.json`: readable, and enough to release with the server dead."""
    target = folder / f"{isolation.number:06d}-{isolation.machine_name}.json"
    content = {
        "what": f"Isolation {isolation.number} of {isolation.machine_name}",
        "how_to_undo": f"guardship release --offline {target.name}  (or send the requests below to ARM)",
        "isolation_id": isolation.isolation_id,
        "machine_id": isolation.machine_id,
        "state": isolation.state,
        "opened_at": iso(isolation.opened_at),
        "opened_by": isolation.opened_by,
        "account": isolation.account,
        "endpoint": endpoint,
        "undo": [asdict(each) for each in undo],
    }
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    return target


def _undo(write: WriteRow, left: Any) -> Undo | None:
    if write.before is not None:
        return Undo("PUT", write.resource_id, write.api_version, write.before, left)
    if write.kind == WriteKind.RULE:
        return Undo("DELETE", write.resource_id, write.api_version, None, left)
    return None  # a group or subnet that was made on the way stays: others may use it by now
