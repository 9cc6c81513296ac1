"""Statements as text: one wording for both drivers (``storage/statements.py``)."""

import pytest

from doorward.storage.database import Database
from doorward.storage.statements import Statement

pytestmark = pytest.mark.anyio

FINDS = Statement("SELECT 'Acme 100% :name %s %% it''s' AS said, :name AS name WHERE 'a%b:c' LIKE 'a\\%%' ESCAPE '\\'")
REMAINS = Statement("SELECT 17 % 5 AS rest, CAST('1:2' AS TEXT) AS text, :a_b % 4 AS other")
ALONE = Statement("SELECT 'Acme' AS name WHERE 'abc' LIKE 'a%'")


async def test_a_per_cent_sign_and_a_colon_in_a_literal_are_what_they_look_like(database: Database) -> None:
    row = await database.read(lambda reader: reader.first(FINDS, {"name": "50% :off %(x)s"}))
    assert row is not None
    assert (row.said, row.name) == ("Acme 100% :name %s %% it's", "50% :off %(x)s")


async def test_a_remainder_is_computed(database: Database) -> None:
    row = await database.read(lambda reader: reader.first(REMAINS, {"a_b": 7}))
    assert row is not None
    assert (row.rest, row.text, row.other) == (2, "1:2", 3)


async def test_a_pattern_without_parameters_fits(database: Database) -> None:
    row = await database.read(lambda reader: reader.first(ALONE))
    assert row is not None
    assert row.name == "Acme"
    rows = await database.read_long(lambda reader: reader.all(ALONE))
    assert [each.name for each in rows] == ["Acme"]
