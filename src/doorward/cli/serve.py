"""``doorward serve``: run the server until it is told to end."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from doorward.cli.loading import loading
from doorward.cli.options import deployment, settings_of, stdio_command

if TYPE_CHECKING:
    from doorward.settings import Settings

STDIO: Final = "stdio"
"""The slug of the server that ``--stdio`` declares."""


@click.command(epilog="Example: doorward serve --config doorward.toml")
@deployment
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; stands above the configuration file.")
@click.option("--stdio", help="Command of an MCP server: declared as server `stdio`, for all tenants that there are.")
def serve(config: Path | None, data: Path | None, port: int | None, stdio: str | None) -> None:
    """Run the server: authorization server, pages and gateway on one port."""
    settings = settings_of(config, data)
    if port is not None:
        settings = replace(settings, server=replace(settings.server, port=port))
    with loading():
        from doorward.bootstrap import program  # noqa: PLC0415  (`--help` needs none of it)

    if stdio is not None:
        _declare(settings, stdio)
    program.serve(settings, tell=partial(print, flush=True))


def _declare(settings: "Settings", stdio: str) -> None:
    """Declare the command, and enable it for every tenant. Raises ``CommandFailed``, ``DocumentError``."""
    import asyncio  # noqa: PLC0415

    from doorward.bootstrap.core import open_core  # noqa: PLC0415
    from doorward.provisioning.declare import declare_for_all  # noqa: PLC0415

    declared = {"slug": STDIO, **stdio_command(stdio)}

    async def run() -> None:
        core = await open_core(settings, create=True)
        try:
            await core.database.write(
                lambda tx: declare_for_all(
                    tx, declared, now=core.now(), entropy=core.entropy, fingerprinter=core.fingerprinter
                )
            )
        finally:
            await core.close()

    asyncio.run(run())
