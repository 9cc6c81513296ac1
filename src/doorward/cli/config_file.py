"""Changes a file of a person's in place: all of it or nothing, with a copy of what it was, and the rights it had."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward.cli.errors import CommandFailed

MOST: Final = 4 * 1024 * 1024
"""Bytes of a configuration file."""
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class Written:
    """What happened: the file, and the copy of what it was (None: nothing was there, or nothing changed)."""

    path: Path
    changed: bool
    backup: Path | None


def change(path: Path, edit: Callable[[str], str], *, secret: bool, stamp: str) -> Written:
    """Replace what the file says by what ``edit`` makes of it. ``stamp`` goes into the name of the copy.

    A new file is readable by its owner only. With ``secret``, an existing one has to be. Raises ``CommandFailed``.
    """
    real = path.resolve()  # a link to where somebody keeps such files stays a link
    before = _read(real)
    after = edit(before or "")
    if before is not None and after == before:
        return Written(path, changed=False, backup=None)
    mode = _mode(real) if before is not None else 0o600
    if secret and mode & _OTHERS:
        raise CommandFailed(
            f"{path}: others on this machine can read it, and the key would stand in it. Run `chmod 600 {path}`."
        )
    real.parent.mkdir(parents=True, exist_ok=True)
    backup = None if before is None else _copy(real, before, mode, stamp)
    _replace(real, after, mode, before)
    return Written(path, changed=True, backup=backup)


def _read(path: Path) -> str | None:
    try:
        if not path.is_file():
            if path.exists():
                raise CommandFailed(f"{path}: not a file. Name another with --file.")
            return None
        if path.stat().st_size > MOST:
            raise CommandFailed(f"{path}: too long for a configuration. Name another with --file.")
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as wrong:
        raise CommandFailed(f"{path}: not a text in UTF-8. Name another with --file.") from wrong


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _copy(path: Path, text: str, mode: int, stamp: str) -> Path:
    for number in range(1, 100):
        backup = path.with_name(f"{path.name}.backup-{stamp}{'' if number == 1 else f'-{number}'}")
        try:
            _write_new(backup, text, mode)
        except FileExistsError:
            continue
        return backup
    raise CommandFailed(f"{path.parent}: too many copies of this second. Run the command again.")


def _replace(path: Path, text: str, mode: int, before: str | None) -> None:
    fresh = path.with_name(f".{path.name}.doorward-{os.getpid()}")
    try:
        _write_new(fresh, text, mode)
        if _read(path) != before:
            raise CommandFailed(
                f"{path}: it was changed meanwhile, perhaps by the client itself. Run the command again."
            )
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
