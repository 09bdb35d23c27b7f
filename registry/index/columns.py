"""What the tables of the index are made with: one collection of them, and the columns and indexes that many have."""

from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, String, text

metadata = MetaData()


def deployment_column() -> Column[int]:
    """The first part of a key: whose registry a row is of."""
    return Column("deployment", Integer, primary_key=True)


def unread_index(name: str, *columns: str) -> Index:
    """An index of what is still to be read, which is little of a table most of the time."""
    return Index(name, *columns, **only_where("state = 'unavailable'"))


def only_where(condition: str) -> dict[str, Any]:
    """What makes an index one of some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def order_text_by_bytes() -> None:
    """Text is compared as SQLite does it, by its bytes, whatever language the server of PostgreSQL is set to."""
    for one in metadata.tables.values():
        for item in one.columns:
            if isinstance(item.type, String):
                same = type(item.type)(item.type.length, collation="C")
                item.type = item.type.with_variant(same, "postgresql")
