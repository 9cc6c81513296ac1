"""``demo.json``: the passwords and keys of a demonstration whose data directory is kept.

Doorward itself stores only hashes. The demonstration promises the same passwords and keys after a restart, so it must
keep them: in one file, readable by its owner only, that says so.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = "demo.json"
ABOUT: Final = (
    "Passwords and API keys of this demonstration in plain text, kept so that a restart has the same ones. Whoever reads "
    "this file can sign in. A deployment of your own keeps no such file."
)


class NotOurs(Exception):  # noqa: N818  (a fact about the directory)
    """The directory holds something that is no demonstration. The message is cause and fix."""


@dataclass(kw_only=True)
class Memory:
    """What is remembered. ``server`` is the slug of the MCP server behind the door, once everything is set up."""

    server: str | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    """By e-mail address."""
    keys: dict[str, str] = field(default_factory=dict)
    """By what ``prepare`` calls the key."""


def recall(data: Path) -> Memory:
    """Return what ``data`` remembers; nothing for a new directory. Raises ``NotOurs``."""
    file = data / FILE
    try:
        found = json.loads(file.read_text("utf-8"))
        return Memory(server=found["server"], passwords=dict(found["passwords"]), keys=dict(found["keys"]))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as wrong:
        raise NotOurs(f"{file}: damaged. Name another directory, or remove this one.") from wrong
    if (data / "doorward.db").exists() or (data / "doorward.key").exists():
        raise NotOurs(f"{data}: holds a deployment that is no demonstration. Name another directory.")
    return Memory()


def remember(data: Path, memory: Memory) -> None:
    """Write ``demo.json`` in one step, with mode 0600."""
    write_private(data / FILE, json.dumps({"about": ABOUT, **asdict(memory)}, indent=2) + "\n")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read; a reader sees the old or the new one, never a part."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    draft.replace(file)
