"""Alerts and incidents as rows of the log tables: asked for in the transaction that changed them, appended by the outbox.

The event may come twice; each row carries an id of its own, and what is there already is not appended again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardship.ids import new_id
from guardship.storage.outbox import Event, publish
from guardship.workspace.ingest import Ingest

ROWS_DUE = "DetectionRowsDue"


def ask_for_rows(session: Session, table: str, rows: Sequence[Mapping[str, Any]], *, at: datetime) -> None:
    """One event for all of these rows; rows of one table keep their order."""
    if rows:
        stamped = [{"id": new_id("item"), "row": dict(row)} for row in rows]
        publish(session, f"rows:{table}", ROWS_DUE, {"table": table, "rows": stamped}, at=at)


class LogRows:
    """Subscribed to `ROWS_DUE` by `server.py`."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def on_rows_due(self, event: Event) -> None:
        table: str = event.payload["table"]
        by_id = {entry["id"]: entry["row"] for entry in event.payload["rows"]}
        missing = self._ingest.missing(table, list(by_id))
        if missing:
            self._ingest.ingest(table, [by_id[item_id] for item_id in missing], item_ids=missing)
