"""Writes the pages of docs/ that follow from code and data. Run by ``make fix``; a test compares.

usage: python docs/generate.py [--check]
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from api_page import api_page
from cli_page import cli_page
from client_pages import client_pages

from doorward.audit import EVENTS
from doorward.protocol.faults import FAULTS
from doorward.settings import Settings

DOCS = Path(__file__).resolve().parent
CLIENTS = DOCS.parent / "tests" / "clients" / "fixtures"
WAYS = {
    "dcr": "registers itself",
    "cimd": "metadata document",
    "static": "registered by an administrator",
    "key": "API key",
}
SERIES = {
    "1": "Authorization requests and registration",
    "2": "The token endpoint",
    "3": "Bearer credentials and the gateway",
    "4": "Accounts, keys and administration",
    "5": "Storage and upstream",
}
GENERATED = "<!-- Written by docs/generate.py; `make fix` rewrites it. -->\n"


def errors() -> str:
    """Return the page with one section per error code."""
    parts = [
        "# Errors\n",
        GENERATED,
        (
            "Every error has a code that never changes its meaning, one line of cause, one line of fix, and a request id"
            " by which an administrator finds the exact reason: in the log, or for a call in the table `call_events`."
            " The texts never say more than the caller may know.\n"
        ),
    ]
    series = ""
    for code, fault in sorted(FAULTS.items()):
        number = code.removeprefix("DW-")
        if number[0] != series:
            series = number[0]
            parts.append(f"## DW-{series}xx: {SERIES[series]}\n")
        parts.append(f"### {code}\n\n**{fault.title}.** {fault.cause}\n\nFix: {fault.fix}\n")
    return "\n".join(parts)


def settings() -> str:
    """Return the page with one table per section of the configuration file."""
    parts = [
        "# Settings\n",
        GENERATED,
        (
            "`doorward serve --config FILE` reads a TOML file. Everything has a default; an unknown key is an error that"
            " names it. Relative paths start at the file's own directory.\n"
        ),
    ]
    parts.append(_table([item for item in fields(Settings) if not is_dataclass(_default(item))]))
    for item in fields(Settings):
        section = _default(item)
        if is_dataclass(section):
            parts.append(f"## [{item.name}]\n\n{type(section).__doc__}\n\n{_table(fields(section))}")
    return "\n".join(parts)


def audit_events() -> str:
    """Return the page with every security event."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in EVENTS.items()]
    says = (
        "A security event is written in the transaction of the change it describes: either both are there or neither."
        " It names ids, never secrets.\n"
    )
    return "\n".join(["# Audit events\n", GENERATED, says, "| event | what it tells |", "|---|---|", *rows]) + "\n"


def clients() -> str:
    """Return the page with the matrix of clients and ways, and what is known of each client."""
    known = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(CLIENTS.glob("*.json"))]
    says = (
        "Each client is a file in `tests/clients/fixtures/` with the requests it sends. A test replays the file against"
        " the whole program, every way the client can go: discovery, introduction, sign-in and consent, code, first MCP"
        " calls, two refreshes at once, a refresh without resource and scope after a restart. ✓: replayed by a test."
        " ✗: the client cannot. ?: not known; nothing here stands against it.\n"
    )
    rows = [f"| {_titled(each)} | {' | '.join(_mark(each[way]) for way in WAYS)} |" for each in known]
    head = [f"| client | {' | '.join(WAYS.values())} |", f"|---|{'---|' * len(WAYS)}"]
    sections = [_client(each) for each in known]
    return "\n".join(["# Clients\n", GENERATED, says, *head, *rows, "", "\n".join(sections)])


def _titled(client: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (client["client"], client.get("version"))))


def _mark(way: Any) -> str:
    return "✓" if isinstance(way, dict) else "✗" if way.startswith("no:") else "?"


def _client(client: Mapping[str, Any]) -> str:
    lines = [f"## {_titled(client)}\n", f"Last verified {client['last_verified']}. {client['source']}\n"]
    lines += [f"- {text}" for text in client["oddities"]]
    if "assumed" in client:
        lines.append(f"- Not observed, replayed as an ordinary client does it: {', '.join(client['assumed'])}.")
    lines += [
        f"- Not by {name} ({_mark(way)}): {way.partition(': ')[2]}."
        for key, name in WAYS.items()
        if isinstance(way := client[key], str)
    ]
    lines += [f"- Refused here: {each['does']} {each['why']}" for each in client.get("refused", ())]
    return "\n".join(lines) + "\n"


def pages() -> Mapping[Path, str]:
    """Return every generated page: where it stands, and what it says."""
    texts = {
        "errors.md": errors(),
        "settings.md": settings(),
        "audit-events.md": audit_events(),
        "clients.md": clients(),
        "api.md": api_page(GENERATED),
        "cli.md": cli_page(GENERATED),
        **dict(client_pages(GENERATED)),
    }
    return {DOCS / name: text for name, text in texts.items()}


def _table(knobs: "tuple[Field[Any], ...] | list[Field[Any]]") -> str:
    rows = [f"| `{knob.name}` | {_written(_default(knob))} | {knob.metadata['help']} |" for knob in knobs]
    return "\n".join(["| key | default | what it is |", "|---|---|---|", *rows]) + "\n"


def _default(knob: "Field[Any]") -> Any:
    return knob.default if knob.default_factory is MISSING else knob.default_factory()


def _written(value: Any) -> str:
    text = {"": '""', True: "true", False: "false"}.get(value) if isinstance(value, (str, bool)) else None
    if isinstance(value, (str, Path)) and text is None:
        text = f'"{value}"'
    return f"`{text or value}`"


def main() -> int:
    """Write the pages, or with ``--check`` say which are stale."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is stale: run `make fix`.")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
