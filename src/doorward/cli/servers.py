"""``doorward servers``: what is behind the door, and how it is."""

import contextlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core

if TYPE_CHECKING:
    from doorward.bootstrap import Core


@click.group(epilog="Example: doorward servers status")
def servers() -> None:
    """Look at the MCP servers behind the door."""


@servers.command(epilog="Example: doorward servers status wiki")
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def status(*, slugs: tuple[str, ...], as_json: bool, config: Path | None, data: Path | None) -> None:
    """Ask each server now, as the gateway would. Ends with 1 if one does not answer.

    A server that is a command is started for it, and ended.
    """

    async def use(core: "Core") -> dict[str, Any]:
        from doorward.bootstrap import probed  # noqa: PLC0415  (only what touches data loads it)

        return {slug: asdict(health) for slug, health in (await probed(core, slugs)).items()}

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
    what = f"{health['name']} {health['version']}".strip()
    return f"{what}, MCP {health['revision']}, {health['tools']} tools, {health['milliseconds']} ms"
