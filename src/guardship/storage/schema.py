"""The one registry of our database tables, and the column types they share.

Each package declares its tables in the file of their thing; only that package writes them.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from guardship.clock import from_micros, to_micros

JsonValue = dict[str, Any] | list[Any] | str | int | float | bool | None

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Base(DeclarativeBase):
    metadata = METADATA


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, kept as whole microseconds since 1970: SQLite has no time zones."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """JSON as the text that was written, on both databases.

    JSONB would forget the order of keys, turn 1e16 into a whole number, which breaks the hashes of the audit log, and refuse U+0000.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if isinstance(value, str) else value


# A key that counts by itself: SQLite counts in its INTEGER alone, PostgreSQL's ends at two thousand millions.
Counter = BigInteger().with_variant(Integer(), "sqlite")


@compiles(String, "postgresql")
def _without_length(kind: String, compiler: Any, **_: Any) -> str:
    """SQLite lets a string be longer than declared, so PostgreSQL does as well: the length says what is meant."""
    return "TEXT"
