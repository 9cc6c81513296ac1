"""How tables are written down."""

from typing import Any, Final

import sqlalchemy as sa

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    """Return a column of text."""
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def number(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    """Return a column of whole numbers: times, counts, truth values."""
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=null, autoincrement=False)


def refers(name: str, target: str, *, key: bool = False, cascade: bool = False, null: bool = False) -> sa.Column[str]:
    """Return a column that holds the id of a row of ``target`` (``table.column``)."""
    reference = sa.ForeignKey(target, ondelete="CASCADE" if cascade else None)
    return sa.Column(name, sa.Text, reference, primary_key=key, nullable=null)


def serial(name: str) -> sa.Column[int]:
    """Return a key that the database counts up."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True)


def table(name: str, *parts: Any, rowid: bool = True) -> sa.Table:
    """Return a table of ``metadata``."""
    # Without rowid a small row sits in its key's own tree. Codes and refresh tokens keep theirs: new rows are then
    # neighbours, and marking the recent ones used touches few pages (a third less commit time, measured).
    return sa.Table(name, metadata, *parts, sqlite_with_rowid=rowid)
