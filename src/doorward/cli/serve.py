"""``doorward serve``: run the server until it is told to end."""

from dataclasses import replace
from pathlib import Path

import click

from doorward.cli.options import deployment, settings_of


@click.command(epilog="Example: doorward serve --config doorward.toml")
@deployment
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; stands above the configuration file.")
def serve(config: Path | None, data: Path | None, port: int | None) -> None:
    """Run the server: authorization server, pages and gateway on one port."""
    settings = settings_of(config, data)
    if port is not None:
        settings = replace(settings, server=replace(settings.server, port=port))
    from doorward import bootstrap  # noqa: PLC0415  (`--help` needs none of it)

    bootstrap.serve(settings)
