"""Nothing that a person can hold is forgotten when they leave: every table that refers to people says what becomes of it."""

import re

from doorward.accounts.holdings import KEPT, KINDS
from doorward.storage.schema import metadata

PEOPLE = re.compile(
    r"(user|person|account|owner|actor|member|invitee|approver|subject)s?(_id)?|e?mail|(.+_)?by|.*_account"
)
"""Names of columns that tell of somebody, whether or not they are foreign keys."""
HOLDINGS = {table for kind in KINDS for table in kind.tables}


def refers_to_people(name: str) -> bool:
    table = metadata.tables[name]
    foreign = {key.column.table.name for key in table.foreign_keys}
    columns = {column.name for column in table.columns}
    # What belongs to something that a person holds (a code to its connection) is held by the person too.
    held = {f"{each.removesuffix('s')}_id" for each in HOLDINGS}
    return bool(
        foreign & ({"users", "memberships"} | HOLDINGS) or columns & held or any(map(PEOPLE.fullmatch, columns))
    )


def test_every_table_that_refers_to_people_says_what_becomes_of_it() -> None:
    found = {name for name in metadata.tables if refers_to_people(name)} | {"users"}
    unsaid = found - HOLDINGS - KEPT.keys()
    assert unsaid == set(), "name it in accounts/holdings.py: as a kind that ends, or as kept, with why"


def test_what_is_said_is_about_tables_that_there_are() -> None:
    assert metadata.tables.keys() >= HOLDINGS | KEPT.keys()
    assert HOLDINGS & KEPT.keys() == set()
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_a_new_table_of_credentials_would_be_found() -> None:
    assert refers_to_people("api_keys")
    assert refers_to_people("refresh_tokens"), "by its connection"
    assert not refers_to_people("signing_keys")
