"""How a command fails: one line ``error: cause. fix.`` on standard error; exit code 2 for wrong usage, else 1."""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

import click

_TRACEBACK: Final = "DOORWARD_TRACEBACK"
_IN_FULL: Final = (
    "doorward.settings:SettingsError",
    "doorward.provisioning.reading:DocumentError",
    "doorward.storage.database:NotReady",
)
"""Exceptions whose message is already cause and fix for an operator."""

_FIXES: Final[Mapping[str, str]] = {
    "doorward.storage.database:StorageUnavailable": "the database does not answer. Check its disk and its server.",
    "doorward.storage.database:Conflict": "somebody changed the same thing meanwhile. Run the command again.",
    "doorward.storage.database:Unstorable": "a text holds characters that cannot be stored. Remove them.",
    "doorward.accounts.passwords:Busy": "too many passwords wait to be hashed. Run the command again.",
}


class CommandFailed(Exception):  # noqa: N818  (an answer)
    """A command cannot do what it was asked to; the message is its cause and its fix."""


def report(wrong: Exception) -> int:
    """Print the one line that tells what is wrong, and return the exit code."""
    if isinstance(wrong, click.exceptions.Exit):
        return wrong.exit_code
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        wrong.show()
        return wrong.exit_code
    line, code = _line(wrong)
    print(f"error: {' '.join(line.split())}", file=sys.stderr)
    if os.environ.get(_TRACEBACK):
        traceback.print_exception(wrong, file=sys.stderr)
    return code


def _line(wrong: Exception) -> tuple[str, int]:
    if isinstance(wrong, click.UsageError):
        command = wrong.ctx.command_path if wrong.ctx else "doorward"
        return f"{wrong.format_message()} Run `{command} --help`.", 2
    if isinstance(wrong, click.Abort):
        return "stopped. Nothing was changed.", 1
    if isinstance(wrong, CommandFailed) or _is_one_of(wrong, _IN_FULL):
        return str(wrong), 1
    known = next((line for name, line in _FIXES.items() if _is_one_of(wrong, [name])), None)
    return known or _unforeseen(wrong), 1


def _unforeseen(wrong: Exception) -> str:
    if isinstance(wrong, OSError):
        where = f"{wrong.filename}: " if wrong.filename else ""
        return f"{where}{wrong.strerror or type(wrong).__name__}. Check the path and who may use it."
    return f"a fault of ours ({type(wrong).__name__}). Set {_TRACEBACK}=1 to see where, and report it."


def _is_one_of(wrong: Exception, names: Sequence[str]) -> bool:
    # By name, so that a command that failed early loads nothing more; a class that is not loaded was not raised.
    found = (name.partition(":") for name in names)
    kinds = [getattr(sys.modules[module], kind) for module, _, kind in found if module in sys.modules]
    return isinstance(wrong, tuple(kinds))
