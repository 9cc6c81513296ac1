"""The demonstration as a process: open the core, set it up, serve, and say when everything is ready."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import uvloop

from doorward import server
from doorward.bootstrap.core import open_core
from doorward.bootstrap.program import build
from doorward.demo.announce import facts
from doorward.demo.child import HarbourEnded, HarbourProcess
from doorward.demo.memory import Memory
from doorward.demo.prepare import prepare
from doorward.logs import configure_logs
from doorward.settings import MailSettings, OwnServerSettings, ServerSettings, Settings
from doorward.storage.opening import hold_node_lock

PUSH_SECONDS: Final = 60
"""How long Harbour may take to start and to push its tree; a second is usual."""

Say: TypeAlias = Callable[[dict[str, Any]], None]


def settings_of(data: Path, port: int) -> Settings:
    """Return the settings of a demonstration: all defaults, on loopback, and mail on the console."""
    mail = MailSettings(mode="console", sign_in_links=True)
    # What somebody wants to try behind it runs beside it.
    own = OwnServerSettings(networks=["127.0.0.0/8", "::1/128"])
    return replace(Settings(), data_dir=data.resolve(), server=ServerSettings(port=port), mail=mail, own_servers=own)


def run(
    listener: socket.socket,
    *,
    data: Path,
    memory: Memory,
    harbour: HarbourProcess | None,
    product: Mapping[str, Any] | None,
    say: Say,
) -> None:
    """Serve on ``listener`` until a signal says to end; call ``say`` with the facts once everything answers.

    Raises ``HarbourEnded`` if Harbour ends before we do, ``NotOurs`` and ``NotReady`` where ``data`` cannot be used.
    """
    settings = settings_of(data, listener.getsockname()[1])
    configure_logs("warning", "text")
    with hold_node_lock(settings.database_url):
        uvloop.run(_serve(listener, settings, memory, harbour, product, say))


async def _serve(
    listener: socket.socket,
    settings: Settings,
    memory: Memory,
    harbour: HarbourProcess | None,
    product: Mapping[str, Any] | None,
    say: Say,
) -> None:
    core = await open_core(settings, create=True)
    try:
        await prepare(core, memory, harbour=harbour, product=product)

        async def ready() -> None:
            if harbour is not None:
                await _pushed(harbour)
            say(facts(settings.public_url, memory))

        app = await build(core)
        await _until_one_ends(server.run(app, listener, on_ready=ready), harbour)
    finally:
        await core.close()


async def _pushed(harbour: HarbourProcess) -> None:
    try:
        await asyncio.wait_for(asyncio.wrap_future(harbour.pushed), PUSH_SECONDS)
    except TimeoutError:
        raise HarbourEnded(f"it did not tell of its projects within {PUSH_SECONDS} s") from None


async def _until_one_ends(serving: Any, harbour: HarbourProcess | None) -> None:
    task = asyncio.ensure_future(serving)
    others = [] if harbour is None else [asyncio.wrap_future(harbour.ended)]
    await asyncio.wait([task, *others], return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise HarbourEnded(f"exit code {others[0].result()}")
    await task
