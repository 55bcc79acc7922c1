"""Watchlists: small tables that people and playbooks keep beside the logs, found by their alias and looked up by one of their columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import Fault, GuardshipError, NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Json, Moment

MOST_ITEMS = 100_000


class Watchlist(Base):
    __tablename__ = "workspace_watchlist"

    watchlist_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    alias: Mapped[str] = mapped_column(String(200), unique=True)  # lower-case: names ignore case
    display_name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    search_key: Mapped[str] = mapped_column(String(200))
    columns: Mapped[list[str]] = mapped_column(Json)
    provider: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    changed_by: Mapped[str] = mapped_column(String(200))


class WatchlistItem(Base):
    __tablename__ = "workspace_watchlist_item"

    item_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    watchlist_id: Mapped[str] = mapped_column(String(40), index=True)
    values: Mapped[dict[str, Any]] = mapped_column(Json)
    added_at: Mapped[datetime] = mapped_column(Moment)
    added_by: Mapped[str] = mapped_column(String(200))


class BadWatchlist(GuardshipError):
    code = "watchlist.bad"
    fault = Fault.BAD_INPUT


def put(
    session: Session,
    alias: str,
    rows: Sequence[Mapping[str, Any]] | None,
    *,
    search_key: str,
    by: str,
    at: datetime,
    display_name: str = "",
    description: str = "",
    provider: str = "Guardship",
    source: str = "",
) -> Watchlist:
    """Create, or change what is said; the items of a list that is there are replaced unless `rows` is None."""
    columns = list(dict.fromkeys(name for row in rows or () for name in row))
    if not search_key or (columns and search_key not in columns):
        raise BadWatchlist(
            f"itemsSearchKey: {search_key or '(nothing)'} is no column of the list",
            hint=f"one of {', '.join(columns)}" if columns else None,
        )
    if rows is not None and len(rows) > MOST_ITEMS:
        raise BadWatchlist(f"rawContent: a watchlist holds at most {MOST_ITEMS:,} items, this has {len(rows):,}")
    found = _find(session, alias)
    if found is None:
        found = Watchlist(watchlist_id=new_id("wtch"), alias=alias.lower(), columns=columns, created_at=at)
        session.add(found)
    found.display_name, found.description, found.search_key = display_name or alias, description, search_key
    found.provider, found.source, found.changed_at, found.changed_by = provider, source, at, by
    session.flush()
    if rows is not None:
        found.columns = columns
        for item in items(session, alias):
            session.delete(item)
        for row in rows:
            _add(session, found, new_id("item"), row, by=by, at=at)
    session.flush()
    return found


def get(session: Session, alias: str) -> Watchlist:
    found = _find(session, alias)
    if found is None:
        raise NotFound("watchlist", alias)
    return found


def items(session: Session, alias: str) -> list[WatchlistItem]:
    watchlist = get(session, alias)
    query = select(WatchlistItem).where(WatchlistItem.watchlist_id == watchlist.watchlist_id)
    return list(session.scalars(query.order_by(WatchlistItem.added_at, WatchlistItem.item_id)))


def item_count(session: Session, watchlist: Watchlist) -> int:
    query = select(func.count()).select_from(WatchlistItem).where(WatchlistItem.watchlist_id == watchlist.watchlist_id)
    return session.scalar(query) or 0


def add_item(session: Session, alias: str, values: Mapping[str, Any], *, item_id: str, by: str, at: datetime) -> WatchlistItem:
    """One more; under an id that is there already, that item as it is."""
    watchlist = get(session, alias)
    known = session.get(WatchlistItem, item_id)
    if known is not None:
        return known
    if not values.get(watchlist.search_key):
        raise BadWatchlist(f"{watchlist.search_key}: an item of {watchlist.display_name} needs it, it is looked up by that")
    if item_count(session, watchlist) >= MOST_ITEMS:
        raise BadWatchlist(f"a watchlist holds at most {MOST_ITEMS:,} items")
    watchlist.columns = list(dict.fromkeys([*watchlist.columns, *values]))
    watchlist.changed_at, watchlist.changed_by = at, by
    return _add(session, watchlist, item_id, values, by=by, at=at)


def remove(session: Session, alias: str) -> None:
    watchlist = get(session, alias)
    for item in items(session, alias):
        session.delete(item)
    session.delete(watchlist)


def rows_of_csv(text: str, *, skip: int = 0) -> list[dict[str, str]]:
    """Rows below their header, which may stand under lines that say nothing of it."""
    lines = text.lstrip("\ufeff").splitlines(keepends=True)[skip:]
    reader = csv.reader(io.StringIO("".join(lines)))
    header = [name.strip() for name in next(reader, [])]
    if not any(header):
        raise BadWatchlist("rawContent: the list has no header with the names of its columns")
    rows = []
    for row in reader:
        if len(row) > len(header):
            raise BadWatchlist(f"rawContent: line {reader.line_num + skip} has {len(row)} values for {len(header)} columns")
        if any(row):
            rows.append(dict(zip(header, row, strict=False)))
    return rows


def _find(session: Session, alias: str) -> Watchlist | None:
    return session.scalars(select(Watchlist).where(Watchlist.alias == alias.lower())).one_or_none()


def _add(session: Session, watchlist: Watchlist, item_id: str, values: Mapping[str, Any], *, by: str, at: datetime) -> WatchlistItem:
    item = WatchlistItem(item_id=item_id, watchlist_id=watchlist.watchlist_id, values=dict(values), added_at=at, added_by=by)
    session.add(item)
    return item
