"""``doorward audit``: what was done and what was called in a tenant (F2). Of one request, ``doorward log`` tells all."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.audit import EVENTS
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.model import SECOND, Instant
from doorward.watch import filters
from doorward.watch.audit_log import DECISIONS, GROUPS, Entry, List, Mark, Search, begin, exported, lines, look
from doorward.watch.filters import Typed, Unknown, meant
from doorward.web.words import iso

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: doorward audit --tenant acme --calls --user ines@acme.example --decision denied")
@click.option("--tenant", help="Slug of the tenant; without it all, and what is of none, like signing in.")
@click.option("--calls", is_flag=True, help="Calls of MCP servers instead of changes.")
@click.option("--user", default="", help="Only of this person: e-mail address, or id of who has left.")
@click.option("--client", default="", help="Only about this app, by its id.")
@click.option(
    "--key",
    default="",
    help="Only about this API key: its id or what lists show of it; with --calls also a connection.",
)
@click.option("--tool", default="", help="Only about this tool.")
@click.option("--address", default="", help="Only what came from this IP address.")
@click.option("--event", default="", help="Changes only: an event, or the noun that it begins with.")
@click.option("--decision", type=click.Choice(DECISIONS), default=None, help="Calls only: how it ended.")
@click.option("--text", default="", help="Only what holds this text, or is of this request.")
@click.option("--since", type=_DAY, help="From this day on (UTC).")
@click.option("--until", type=_DAY, help="Up to this day, included (UTC).")
@click.option("--most", type=click.IntRange(1, 1000), default=50, show_default=True, help="Rows to show, newest first.")
@click.option(
    "--jsonl", is_flag=True, help="Export all of it, oldest first, a line of JSON each. The log tells that you did."
)
@deployment
def audit(  # noqa: PLR0913  (what can be asked)
    *, tenant: str | None, calls: bool, address: str, event: str, decision: str | None, text: str, since: datetime | None,
    until: datetime | None, most: int, jsonl: bool, config: Path | None, data: Path | None, **typed: str,
) -> None:  # fmt: skip
    """Show what was done, newest first. Arguments of calls are never kept."""
    if event and event not in EVENTS and event not in GROUPS:
        raise CommandFailed(f"there is no event {event[:80]!r}. docs/audit-events.md lists them.")

    def asked(reader: "Reader") -> Search:
        tenant_id = None if tenant is None else tenant_of(reader, tenant).id
        try:
            only, came_from = meant(reader, tenant_id, Typed(**typed)), filters.address(address)
        except Unknown as unknown:
            raise CommandFailed(f"--{unknown.field}: {unknown} Mend the option and ask again.") from unknown
        return Search(
            which=List.CALLS if calls else List.CHANGES, tenant_id=tenant_id, only=only, address=came_from, event=event,
            decision=decision or "", text=text, since=_moment(since, 0), until=_moment(until, 1),
        )  # fmt: skip

    async def use(core: "Core") -> list[Entry]:
        search = await core.database.read_long(asked)
        if jsonl:
            await _export(core, search)
            return []
        return await core.database.read_long(lambda reader: _found(reader, search, most))

    for entry in with_core(settings_of(config, data), use):
        print(_line(entry))


async def _export(core: "Core", search: Search) -> None:
    now = core.now()
    mark: Mark | None = await core.database.read_long(lambda reader: begin(reader, search))
    await core.database.write(lambda tx: exported(tx, search, actor_id=None, by="doorward audit", now=now, cause=None))
    while mark is not None:
        here = mark
        text, mark = await core.database.read_long(lambda reader: lines(reader, search, here))  # noqa: B023
        sys.stdout.write(text)


def _found(reader: "Reader", search: Search, most: int) -> list[Entry]:
    """Return the newest: here it may take as long as it takes."""
    entries: list[Entry] = []
    page = look(reader, search, most=most)
    entries += page.entries
    while page.further is not None and len(entries) < most:
        page = look(reader, search, before=page.further, most=most - len(entries))
        entries += page.entries
    return entries


def _line(entry: Entry) -> str:
    who = "-" if entry.who is None else entry.who.detail or entry.who.label
    if entry.outcome is not None:
        what, more = f"{entry.outcome} {entry.what}", {"reason": entry.reason}
    else:
        what, more = entry.what, dict(entry.detail)
    rest: dict[str, Any] = {"on": entry.on, **more, "from": entry.address, "request": entry.request_id}
    # As JSON: nobody forges a line with a name.
    words = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in rest.items() if value)
    return f"{iso(entry.at)}  {who}  {_plain(what)}  {_plain(words)}"


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _moment(day: datetime | None, later: int) -> Instant | None:
    if day is None:
        return None
    return Instant((int(day.replace(tzinfo=UTC).timestamp()) + later * 86_400) * SECOND)
