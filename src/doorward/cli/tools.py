"""``doorward tools``: what servers were seen to offer, and what was said of it (feature D4)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.named import server_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import SECOND, ToolState
from doorward.provisioning.tools import NoSuchTool, review
from doorward.storage import known_tools

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader

_DONE = {
    ToolState.ALLOWED: "is approved as it is now",
    ToolState.HELD: "is held",
    ToolState.BLOCKED: "is blocked",
}


@click.group(epilog="Example: doorward tools list docs --held")
def tools() -> None:
    """Look after the tools that servers offer. In force on the next call, beside a running server."""


@tools.command(name="list", epilog="Example: doorward tools list docs --held")
@click.argument("server", metavar="SERVER")
@click.option("--held", "held_only", is_flag=True, help="Only those that wait for a review.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_tools(*, server: str, held_only: bool, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show every version of every tool that SERVER was seen to offer, by name, the oldest first."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(lambda reader: _listed(reader, server))

    rows = with_core(settings_of(config, data), use)
    rows = [row for row in rows if row["state"] == ToolState.HELD.value or not held_only]
    if as_json:
        print(json.dumps({"tools": rows}))
        return
    for row in rows:
        hints = " ".join(name for name, value in row["annotations"].items() if value is True)
        print(f"{row['state']:<8} {row['name']}  seen {row['first_seen']}  {row['digest'][:12]}  {hints}".rstrip())


@tools.command(epilog="Example: doorward tools approve docs export_pages")
@about(server="SERVER", name="TOOL")
def approve(*, server: str, name: str, config: Path | None, data: Path | None) -> None:
    """Let TOOL in as SERVER describes it now; what its author changes later follows the server's policy."""
    _reviewed(server, name, ToolState.ALLOWED, config, data)


@tools.command(epilog="Example: doorward tools hold docs export_pages")
@about(server="SERVER", name="TOOL")
def hold(*, server: str, name: str, config: Path | None, data: Path | None) -> None:
    """Take TOOL away from everybody until it is approved."""
    _reviewed(server, name, ToolState.HELD, config, data)


@tools.command(epilog="Example: doorward tools block docs export_pages")
@about(server="SERVER", name="TOOL")
def block(*, server: str, name: str, config: Path | None, data: Path | None) -> None:
    """Take TOOL away from everybody, with every version of it that may come."""
    _reviewed(server, name, ToolState.BLOCKED, config, data)


def _listed(reader: "Reader", slug: str) -> list[dict[str, Any]]:
    server = server_of(reader, slug)
    return [
        {
            "name": tool.name,
            "digest": tool.digest,
            "state": tool.state.value,
            "first_seen": datetime.fromtimestamp(tool.first_seen / SECOND, UTC).strftime("%Y-%m-%d %H:%M"),
            "annotations": dict(tool.annotations),
            "reviewed_by": tool.reviewed_by,
        }
        for tool in known_tools.known_of_server(reader, server.id)
    ]


def _reviewed(server: str, name: str, state: ToolState, config: Path | None, data: Path | None) -> None:
    async def use(core: "Core") -> int:
        now = core.now()
        return await core.database.write(
            lambda tx: review(tx, server, name, state, by="doorward tools", now=now)
        )  # fmt: skip

    try:
        changed = with_core(settings_of(config, data), use)
    except NoSuchTool as wrong:
        raise CommandFailed(f"{wrong}. `doorward tools list SERVER` shows them.") from wrong
    print(f"Tool {name} of {server} {_DONE[state]}{'' if changed else ', as before'}.")
