"""What was written down stays as it was written: no statement changes a log, and only retention takes rows away (M9)."""

import re

import pytest

from doorward.storage.housekeeping import KINDS
from support.tree import SOURCE, text

LOGS = ("audit_events", "call_events")
CHANGES = r"UPDATE\s+{0}\b|DELETE\s+FROM\s+{0}\b|REPLACE\s+INTO\s+{0}\b|TRUNCATE\b[^\"']*{0}|\b(update|delete|upsert)\(\s*(sa\.)?{0}\b"


def changing(source: str, table: str) -> bool:
    return re.search(CHANGES.format(table), source, re.IGNORECASE) is not None


@pytest.mark.parametrize("table", LOGS)
def test_M9_no_statement_of_ours_changes_or_deletes_what_was_written_down(table: str) -> None:
    found = {
        path.name for path in SOURCE.rglob("*.py") if "migrations" not in path.parts and changing(text(path), table)
    }
    assert found == set()


@pytest.mark.parametrize("table", LOGS)
def test_M9_retention_alone_deletes_and_only_what_is_old(table: str) -> None:
    (kind,) = (kind for kind in KINDS if table in str(kind.forget._sources.values()))
    assert kind.name == table
    (find,) = set(kind.find._sources.values()) - {each for each in kind.find._sources.values() if "%(" in str(each)}
    assert re.search(r"AND at < :(audit|calls)_from", str(find))


def test_M9_a_statement_that_would_change_them_is_noticed() -> None:
    for table in LOGS:
        for bad in (
            f"UPDATE {table} SET x",
            f"DELETE FROM {table} WHERE",
            f"update({table}, [x])",
            f"sa.delete({table})",
        ):
            assert changing(f'_X = "{bad}"', table) or changing(bad, table), bad
