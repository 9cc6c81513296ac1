"""``doorward init``: a configuration file that shows every default, and a data directory with its keys."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import DEFAULT_CONFIG
from doorward.settings import Settings, load


@click.command(epilog="Example: doorward init --public-url https://mcp.example.com")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), default=DEFAULT_CONFIG, show_default=True,
    help="Configuration file to write.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Data directory; doorward-data beside the file."
)
@click.option("--public-url", default="", help="Origin that clients will use, like https://mcp.example.com.")
def init(config: Path, data: Path | None, public_url: str) -> None:
    """Write a configuration file with every default explained, and make the data directory with its keys.

    Nothing that is there is overwritten.
    """
    data = data or config.parent / "doorward-data"
    if config.exists():
        raise CommandFailed(f"{config}: is there already. Remove it, or name another file with --config.")
    text = "\n".join(_lines(_relative(data, config), public_url)) + "\n"
    _write(config, text)
    try:
        asyncio.run(_make_data(load(config)))
    except BaseException:
        config.unlink(missing_ok=True)
        raise
    print(f"Wrote {config} and {data}. Keep {data / 'doorward.key'} safe: without it the database is of no use.")
    print("Next: declare servers and people (`doorward apply --help` shows how), then run `doorward serve`.")


async def _make_data(settings: Settings) -> None:
    from doorward.bootstrap.core import open_core  # noqa: PLC0415  (`--help` needs none of it)

    core = await open_core(settings, create=True)
    await core.close()


def _write(config: Path, text: str) -> None:
    # Exclusively: of two commands at once, one must not overwrite the other's file.
    try:
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as wrong:
        raise CommandFailed(f"{config}: is there already. Remove it, or name another file with --config.") from wrong


def _relative(data: Path, config: Path) -> str:
    inside, base = data.resolve(), config.resolve().parent
    return os.path.relpath(inside, base) if inside.is_relative_to(base) else str(inside)


def _lines(data_dir: str, public_url: str) -> Iterator[str]:
    """Yield the file's lines: every knob with its help, commented out at its default."""
    yield "# Doorward's configuration. Lines that begin with #key show the defaults."
    settings = Settings()
    for item in fields(Settings):
        default = getattr(settings, item.name)
        if is_dataclass(default):
            yield from ("", f"# {' '.join((default.__doc__ or '').split())}", f"[{item.name}]")
            for knob in fields(default):
                yield f"# {knob.metadata['help']}"
                chosen = public_url if (item.name, knob.name) == ("server", "public_url") else ""
                yield _knob(knob.name, getattr(default, knob.name), chosen)
        elif isinstance(default, dict):
            # Tables by name, of which there are none by default: nothing that could be commented in.
            yield from ("", f"# {item.metadata['help']} Each is a table [{item.name}.NAME].")
        else:
            yield from ("", f"# {item.metadata['help']}", f"{item.name} = {json.dumps(data_dir)}")


def _knob(name: str, default: Any, chosen: str) -> str:
    if chosen:
        return f"{name} = {json.dumps(chosen)}"
    # JSON's texts, numbers, truth values, lists and empty tables are TOML's too.
    return f"#{name} = {json.dumps(default)}"
