"""Queries that people keep under a name."""

from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from guardship.errors import NotFound
from guardship.ids import new_id
from guardship.storage.schema import Base, Moment


class SavedSearch(Base):
    __tablename__ = "workspace_saved_search"

    search_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    query: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    saved_by: Mapped[str] = mapped_column(String(200))
    saved_at: Mapped[datetime] = mapped_column(Moment)


def save(session: Session, name: str, query: str, *, by: str, at: datetime, description: str = "") -> SavedSearch:
    """Under a name that is taken, the query replaces the one before."""
    found = session.scalars(select(SavedSearch).where(SavedSearch.name == name)).one_or_none()
    if found is None:
        found = SavedSearch(search_id=new_id("srch"), name=name)
        session.add(found)
    found.query, found.description, found.saved_by, found.saved_at = query, description, by, at
    session.flush()
    return found


def get(session: Session, search_id: str) -> SavedSearch:
    found = session.get(SavedSearch, search_id)
    if found is None:
        raise NotFound("saved search", search_id)
    return found


def remove(session: Session, search_id: str) -> None:
    session.delete(get(session, search_id))


def all_searches(session: Session) -> list[SavedSearch]:
    return list(session.scalars(select(SavedSearch).order_by(SavedSearch.name)))
