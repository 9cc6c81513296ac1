"""Statements: SQLAlchemy Core or text, compiled once per dialect, then run as text on our own driver connections.

Every statement is a constant of its module. Compiling costs 70 µs and building one 20 µs, running a compiled one 3 µs:
a statement that is built at each call would cost more than the database.
"""

import importlib
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import ClauseElement
from typing_extensions import override

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

Params = Mapping[str, object]
Placed = tuple[object, ...]
"""Values by place, for a statement whose text has question marks (SQLite) or ``%s`` (PostgreSQL)."""


class Row(Protocol):
    """One row; its columns are attributes. Rows with equal values are equal."""

    def __getattr__(self, name: str) -> Any: ...

    @override
    def __hash__(self) -> int: ...


class Plan:
    """One statement as one driver wants it."""

    __slots__ = ("_make", "changes", "constants", "returning", "text")

    def __init__(self, text: str, constants: Mapping[str, object]) -> None:
        self.text = text
        self.constants = constants
        self.changes = not text.lstrip().upper().startswith("SELECT")
        self.returning = not self.changes or " RETURNING " in text.upper()
        self._make: Callable[[Sequence[Any]], Row] | None = None

    def bind(self, params: Params | Placed | None) -> Params | Placed:
        """Return what the driver is given: the caller's values, and those written into the statement."""
        if not self.constants or isinstance(params, tuple):
            return params or {}
        return {**self.constants, **(params or {})}

    def rows(self, description: Sequence[Sequence[Any]], found: Iterable[Sequence[Any]]) -> list[Row]:
        """Return fetched tuples as rows. ``description`` is the cursor's (PEP 249)."""
        make = self._make
        if make is None:
            make = self._make = _row_maker([column[0] for column in description])
        return [make(row) for row in found]


Source = ClauseElement | str | Callable[[], ClauseElement]
"""What a statement is compiled from; called for when it is first run, where building it loads a dialect."""


class Statement:
    """A statement of either dialect. ``columns`` are those that an INSERT or UPDATE sets from parameters.

    Text is SQL with parameters like ``:name``, for both; in a mapping it is as that dialect's driver wants it.
    """

    __slots__ = ("_columns", "_plans", "_sources")

    def __init__(self, source: ClauseElement | str | Mapping[str, Source], columns: Sequence[str] = ()) -> None:
        if isinstance(source, str):
            self._sources: Mapping[str, Source] = {SQLITE: source, POSTGRESQL: _for_psycopg(source)}
        else:
            self._sources = source if isinstance(source, Mapping) else dict.fromkeys((SQLITE, POSTGRESQL), source)
        self._columns = list(columns) or None
        self._plans: dict[str, Plan] = {}

    def plan(self, dialect: str) -> Plan:
        """Return the compiled form for ``dialect`` (``SQLITE`` or ``POSTGRESQL``), compiling it at the first use."""
        plan = self._plans.get(dialect)
        if plan is None:
            plan = self._plans[dialect] = self._compile(dialect)
        return plan

    def _compile(self, dialect: str) -> Plan:
        source = self._sources[dialect]
        if isinstance(source, str):
            return Plan(source, {})
        built = source if isinstance(source, ClauseElement) else source()
        compiled = built.compile(dialect=_dialect(dialect), column_keys=self._columns)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return Plan(str(compiled), constants)


# Only the dialect in use is loaded: the other one takes a twentieth of a second of each start.
@cache
def _dialect(name: str) -> Dialect:
    if name == SQLITE:
        from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite  # noqa: PLC0415

        return SQLiteDialect_pysqlite(paramstyle="named")
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg  # noqa: PLC0415

    dialect: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    return dialect


def _insert(name: str, table: sa.Table) -> Any:
    """Return the INSERT of a dialect; both can say ON CONFLICT, in the same words."""
    dialect: Any = importlib.import_module(f"sqlalchemy.dialects.{name}")
    return dialect.insert(table)


def _for_psycopg(text: str) -> str:
    """Return SQL with ``%(name)s`` for ``:name`` outside of literals, and each per cent sign that is meant as one twice."""
    parts = re.split(r"('(?:[^']|'')*')", text.replace("%", "%%"))
    parts[::2] = (re.sub(r"(?<![:\w]):([a-z_]+)", r"%(\1)s", part) for part in parts[::2])
    return "".join(parts)


def select(source: sa.Table, *where: sa.Column[Any], order: Sequence[Any] = ()) -> Statement:
    """All columns of the rows in which each ``where`` column equals the parameter of its name."""
    return Statement(sa.select(source).where(*_equal(where)).order_by(*order))


def insert(table: sa.Table) -> Statement:
    """Insert a row from the parameters named like the columns."""
    return Statement(sa.insert(table), _names(table))


def insert_if_absent(table: sa.Table, *key: sa.Column[Any]) -> Statement:
    """Insert a row, or change nothing where ``key`` is taken (any unique key if none is named)."""
    names = [column.name for column in key] or None

    def build(dialect: str) -> ClauseElement:
        built: ClauseElement = _insert(dialect, table).on_conflict_do_nothing(index_elements=names)
        return built

    return _of_each(build, table)


def upsert(table: sa.Table, key: Sequence[sa.Column[Any]], change: Sequence[sa.Column[Any]]) -> Statement:
    """Insert a row, or set the ``change`` columns of the one that has this ``key``."""
    index = [column.name for column in key]

    def build(dialect: str) -> ClauseElement:
        statement = _insert(dialect, table)
        changes = {column.name: statement.excluded[column.name] for column in change}
        built: ClauseElement = statement.on_conflict_do_update(index_elements=index, set_=changes)
        return built

    return _of_each(build, table)


def _of_each(build: Callable[[str], ClauseElement], table: sa.Table) -> Statement:
    return Statement({SQLITE: partial(build, SQLITE), POSTGRESQL: partial(build, POSTGRESQL)}, _names(table))


def update(table: sa.Table, change: Sequence[sa.Column[Any]], *where: Any) -> Statement:
    """Set ``change`` from parameters. ``where``: columns equal to the parameter of their name, or conditions."""
    return Statement(sa.update(table).where(*_equal(where)), [column.name for column in change])


def delete(table: sa.Table, *where: Any) -> Statement:
    """Delete rows. ``where``: columns equal to the parameter of their name, or conditions."""
    return Statement(sa.delete(table).where(*_equal(where)))


def _row_maker(columns: list[str]) -> Callable[[Sequence[Any]], Row]:
    maker: Any = namedtuple  # noqa: PYI024  (the columns are known only now)
    made: Callable[[Sequence[Any]], Row] = maker("Row", columns)._make
    return made


def _equal(where: Sequence[Any]) -> list[sa.ColumnElement[bool]]:
    return [part == sa.bindparam(part.name, required=True) if isinstance(part, sa.Column) else part for part in where]


def _names(table: sa.Table) -> list[str]:
    # A number that the database gives out itself is not ours to set.
    return [column.name for column in table.columns if column is not table.autoincrement_column]
