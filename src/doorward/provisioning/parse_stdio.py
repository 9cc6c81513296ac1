"""A server that is a command: the command, its environment, its limits, and who shares a process."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from doorward.credentials.upstream_secrets import NAME
from doorward.model import ProcessPer, StdioCommand
from doorward.provisioning.reading import Place
from doorward.provisioning.values import choice, needed, values

_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "processes": (1, 256),
    "memory": (32, 65_536),
    "line": (1_024, 64 * 1024 * 1024),
    "idle": (1, 86_400),
}
_MORE: Final = ("env", "cwd", "per", "relays", *_LIMITS)
STDIO: Final = ("command", *_MORE)
"""The members of a server that are about its command."""
_RELAYS: Final = frozenset({"sampling", "elicitation", "roots"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CALLER: Final = re.compile(r"\{(?:tenant|user)\}")
MAX_ARGUMENTS, MAX_TEXT = 100, 4_096


def parse_stdio(place: Place, table: Mapping[str, Place]) -> StdioCommand | None:
    """Return the command that ``table`` declares, or None. Raises ``DocumentError``."""
    if "command" not in table:
        for name in _MORE:
            if name in table:
                table[name].refuse("only for a server that is a command", "Add command, or take this out")
        return None
    per = choice(table.get("per"), ProcessPer) or ProcessPer.PRINCIPAL
    env = _env(table.get("env"))
    made = StdioCommand(
        command=_command(needed(place, table, "command")),
        env=tuple((name, value) for name, value, is_secret in env if not is_secret),
        secrets=tuple((name, value) for name, value, is_secret in env if is_secret),
        cwd=_cwd(table.get("cwd")),
        per=per,
    )
    numbers: dict[str, Any] = {name: _number(table[name], *most) for name, most in _LIMITS.items() if name in table}
    made = replace(made, **numbers)
    if "relays" in table:
        made = replace(made, relays=_relays(table["relays"]))
    if per is not ProcessPer.PRINCIPAL and _names_caller(made):
        table["command"].refuse("{user} means nothing to a process that several share", "Take it out, or per")
    return made


def address(slug: str, spec: StdioCommand) -> str:
    """Return a text that is another one whenever ``spec`` is, and shows nothing of it."""
    digest = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()
    return f"stdio:{slug}#{digest[:16]}"


def _command(place: Place) -> tuple[str, ...]:
    parts = tuple(_text(each) for each in place.each())
    if not parts or not parts[0] or len(parts) > MAX_ARGUMENTS:
        place.refuse("no command", "Write the program and its arguments, like [npx, -y, some-mcp-server]")
    if _CALLER.search(parts[0]):
        place.refuse("the program itself cannot depend on the caller", "Use {tenant} and {user} in arguments only")
    return parts


def _env(place: Place | None) -> list[tuple[str, str, bool]]:
    """Return each variable's name, its value or the name of its secret, and whether it is one."""
    if place is None:
        return []
    if not isinstance(place.value, dict):
        place.refuse("not a table", "Write NAME: value")
    found = []
    for name, each in place.table(*place.value).items():
        if not _NAME.fullmatch(name):
            each.refuse(f"{name[:80]!r} cannot be a variable's name", "Use letters, digits and _")
        is_secret = isinstance(each.value, dict)
        found.append((name, secret_name(each) if is_secret else _text(each), is_secret))
    return sorted(found)


def secret_name(place: Place) -> str:
    """Return the ``secret`` of a table that has nothing else."""
    return named_secret(needed(place, place.table("secret"), "secret"))


def named_secret(place: Place) -> str:
    """Return the name of a secret of the vault."""
    if NAME.fullmatch(place.text()) is None:
        place.refuse("not a name for a secret", "Use letters, digits, _, - and ., a letter first")
    return place.text()


def _cwd(place: Place | None) -> str | None:
    if place is None:
        return None
    path = _text(place)
    if not path.startswith("/") or "/../" in path + "/":
        place.refuse("not an absolute path", "Write it like /srv/files/{tenant}")
    return path


def _relays(place: Place) -> tuple[str, ...]:
    found = values(place) or ()
    if not _RELAYS.issuperset(found):
        place.refuse("not a feature of clients", "Use sampling, elicitation, roots")
    return found


def _number(place: Place, least: int, most: int) -> int:
    value = place.value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        place.refuse("not a number that is possible here", f"Write one from {least} to {most}")
    return value


def _text(place: Place) -> str:
    text = place.text()
    if len(text) > MAX_TEXT or "\0" in text:
        place.refuse("too long, or not a text", f"Write at most {MAX_TEXT} characters")
    return text


def _names_caller(spec: StdioCommand) -> bool:
    texts = [*spec.command, spec.cwd or "", *(value for _, value in spec.env)]
    names = "{user}" if spec.per is ProcessPer.TENANT else ""
    return any(names in text if names else _CALLER.search(text) for text in texts)
