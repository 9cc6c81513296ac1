"""``doorward usage``: how much was called in a tenant, by whom and how fast (F2)."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.storage.housekeeping import USAGE_DAYS
from doorward.watch.filters import Typed, Unknown, meant
from doorward.watch.usage import RANGES, USUAL, Wanted, described, report
from doorward.web.words import day

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.model import Instant
    from doorward.storage.database import Reader
    from doorward.watch.usage import Report


@click.command(epilog="Example: doorward usage --tenant acme --days 7 --tool search_documents")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option(
    "--days", type=click.Choice([str(days) for days in RANGES]), default=str(USUAL), show_default=True,
    help="1: the last 24 hours. More: whole days in UTC, today included.",
)  # fmt: skip
@click.option("--user", default="", help="Only of this person: e-mail address, or id of who has left.")
@click.option("--client", default="", help="Only of this app, by its id.")
@click.option("--key", default="", help="Only of this API key: its id or what lists show of it.")
@click.option("--tool", default="", help="Only of this tool.")
@click.option("--by", type=click.Choice(["tool", "client", "user", "key"]), help="List all of one side.")
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print a row for each hour, tool, app, person and credential. The log tells that you did.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def usage(  # noqa: PLR0913  (what can be asked)
    *, tenant: str, days: str, by: str | None, as_csv: bool, as_json: bool, config: Path | None, data: Path | None,
    **typed: str,
) -> None:  # fmt: skip
    """Say how much was called: in all, over time, by tool, app, person and API key."""

    def asked(reader: "Reader") -> Wanted:
        from doorward.storage.usage_sums import Kind  # noqa: PLC0415  (loaded where it is used, as in with_core)

        found = tenant_of(reader, tenant)
        try:
            only = meant(reader, found.id, Typed(**typed))
        except Unknown as unknown:
            raise CommandFailed(f"--{unknown.field}: {unknown} Mend the option and ask again.") from unknown
        return Wanted(tenant_id=found.id, days=int(days), only=only, whole=None if by is None else Kind(by))

    async def use(core: "Core") -> "Report | None":
        now = core.now()
        wanted = await core.database.read_long(asked)
        if not as_csv:
            return await core.database.read_long(lambda reader: report(reader, wanted, now))
        await _print_sheet(core, wanted, now)
        return None

    found = with_core(settings_of(config, data), use)
    if found is not None:
        print(json.dumps(described(found)) if as_json else "\n".join(_lines(found)))


async def _print_sheet(core: "Core", wanted: Wanted, now: "Instant") -> None:
    from doorward.watch import usage_sheet  # noqa: PLC0415

    await core.database.write(
        lambda tx: usage_sheet.exported(tx, wanted, actor_id=None, by="doorward usage", now=now, cause=None)
    )
    async for text in usage_sheet.parts(core.database, wanted.sides(now)):
        sys.stdout.write(text)


def _lines(found: "Report") -> Iterator[str]:
    total = found.total
    yield f"{day(found.since)} to {day(found.until)}: {total.calls} calls, {total.denied} denied, {total.failed} errors"
    yield f"p50 at most {_ms(total.below(0.5))}, p95 at most {_ms(total.below(0.95))}, {found.forced} forced re-logins"
    for kind, ranked in found.ranked.items():
        yield f"by {kind.value} ({ranked.known}):"
        for line, named in ranked.lines:
            counts, detail = line.counts, f"  {named.detail}" if named.detail else ""
            yield f"  {counts.calls:>10}  {counts.denied} denied  p95 {_ms(counts.below(0.95))}  {named.label}{detail}"
    if not total.calls:
        yield f"Nothing was called. Numbers are kept for {USAGE_DAYS} days."


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
