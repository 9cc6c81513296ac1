"""Tables for spreadsheets: no cell is computed, whatever separates cells there (M6)."""

import csv
import io
import re

import pytest

from doorward.watch.sheet import inert, lines

BEGINS = re.compile(r"[\s\"]*[=+\-@\uff1d]")
pytestmark = pytest.mark.requirement("security/M6")


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n1", " =1", '"=1', "'=1", "\uff1d1", "Notes;=cmd|' /C calc'!A0;",
     'a; "=1', "a|=1", "a\t@x", "a\n-1"],
)  # fmt: skip
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_begins_a_formula_wherever_a_program_splits(cell: str, separator: str) -> None:
    rows = csv.reader(io.StringIO(lines([["x", cell, "y"]]), newline=""), delimiter=separator)
    assert [each for row in rows for each in row if BEGINS.match(each)] == []


@pytest.mark.parametrize("cell", ["search", "a-b", "prj;ord", "", 7, None, "O'Hara", "1 + 1"])
def test_other_cells_stay_as_they_are(cell: object) -> None:
    assert inert(cell) == cell
