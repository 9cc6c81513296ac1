"""``doorward servers``: what is behind the door, and how it is."""

import contextlib
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli import own_servers
from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core
from doorward.cli.progress import Progress, quiet_option
from doorward.model import SECOND

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core


@click.group(epilog="Example: doorward servers status")
def servers() -> None:
    """Look at the MCP servers behind the door, and after those of a tenant's own."""


for _command in (
    own_servers.list_servers,
    own_servers.add,
    own_servers.disable,
    own_servers.enable,
    own_servers.remove,
):
    servers.add_command(_command)


@servers.command(epilog="Example: doorward servers status wiki")
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@quiet_option
@deployment
def status(*, slugs: tuple[str, ...], as_json: bool, quiet: bool, config: Path | None, data: Path | None) -> None:
    """Ask each server now, as the gateway would. Ends with 1 if one does not answer.

    A server that is a command is started for it, and ended.
    """
    progress = Progress(quiet=quiet)

    async def use(core: "Core") -> dict[str, Any]:
        from doorward.bootstrap.probing import probed  # noqa: PLC0415  (only what touches data loads it)

        found = await probed(core, slugs, lambda count: progress.step("Asking", count, "server"))
        return {slug: asdict(health) for slug, health in found.items()}

    with contextlib.redirect_stdout(sys.stderr):  # What is logged beside it is no part of the answer.
        found = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"servers": [{"slug": slug, **health} for slug, health in found.items()]}))
    else:
        for slug, health in found.items():
            print(f"{slug}  {_line(health)}")
    away = [slug for slug, health in found.items() if health["problem"]]
    if away:
        raise CommandFailed(f"no answer from {', '.join(away)}. See above.")


def _line(health: dict[str, Any]) -> str:
    if health["problem"]:
        return f"does not answer: {health['problem']}"
    if health["accounts"]:
        return f"knows people by their own accounts, kept by {health['accounts']}, {health['milliseconds']} ms"
    what = f"{health['name']} {health['version']}".strip()
    line = f"{what}, MCP {health['revision']}, {health['tools']} tools, {health['milliseconds']} ms"
    if health["before"] is None:
        return line
    since = health["since"]
    when = "just now" if since is None else datetime.fromtimestamp(since / SECOND, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{line}; new since {when}, before: {health['before']}"
