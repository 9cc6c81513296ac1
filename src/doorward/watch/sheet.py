"""Tables for spreadsheets (CSV, RFC 4180) whose cells are text to them, whatever somebody called a tool (case M6)."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

_CONTROL: Final = re.compile(r"[\s\"']*[\t\r\n]")
# Also behind what separates cells where a comma is the decimal mark: there a file is split at semicolons.
_FORMULA: Final = re.compile(r"(^|[;|\t\r\n])([ \"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def inert(cell: object) -> object:
    """Return a cell that no spreadsheet computes: what begins like a formula gets an apostrophe before it."""
    if not isinstance(cell, str):
        return cell
    found = _FORMULA.sub(r"\1'\2", cell)
    return f"'{found}" if found == cell and _CONTROL.match(cell) else found


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([inert(cell) for cell in row] for row in rows)
    return out.getvalue()
