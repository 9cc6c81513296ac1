"""The options that commands share: which deployment is meant."""

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from doorward.cli.errors import CommandFailed
from doorward.settings import Settings, load

DEFAULT_CONFIG: Final = Path("doorward.toml")

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)


def deployment(command: F) -> F:
    """Add ``--config`` and ``--data``."""
    config = click.option("--config", type=_FILE, help="Configuration file; doorward.toml here, where there is one.")
    data = click.option("--data", type=_DIRECTORY, help="Data directory; stands above the configuration file.")
    return config(data(command))


def about(**arguments: str) -> Callable[[F], F]:
    """Add arguments, in this order, each with the word that stands for it, and ``--config`` and ``--data``."""

    def add(command: F) -> F:
        command = deployment(command)
        for name, word in reversed(arguments.items()):
            command = click.argument(name, metavar=word)(command)
        return command

    return add


def stdio_command(text: str) -> dict[str, Any]:
    """Return what a document says of the command in ``--stdio``: it gets PATH and HOME of whoever starts it.

    Raises ``CommandFailed``.
    """
    try:
        command = shlex.split(text)
    except ValueError as wrong:
        raise CommandFailed(f"--stdio: {wrong}. Write it like 'npx -y some-mcp-server'.") from wrong
    if not command:
        raise CommandFailed("--stdio: no command. Write it like 'npx -y some-mcp-server'.")
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {"command": command, "env": given, "cwd": str(Path.cwd())}


def settings_of(config: Path | None, data: Path | None) -> Settings:
    """Return the settings of the deployment that the options mean. Raises ``SettingsError``."""
    if config is None and data is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    return load(config, data_dir=data)


def with_core(settings: Settings, use: "Callable[[Any], Awaitable[T]]") -> T:
    """Open the deployment's storage and keys, await ``use(core)`` and close everything again."""

    async def run() -> T:
        from doorward.bootstrap.core import open_core  # noqa: PLC0415  (only what touches data loads it)

        core = await open_core(settings, create=False)
        try:
            return await use(core)
        finally:
            await core.close()

    return asyncio.run(run())
