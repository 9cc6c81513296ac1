"""The whole program in one process, with a clock that stands still: what ``bootstrap`` builds, and browsers for it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from doorward.bootstrap.core import Core, open_core
from doorward.bootstrap.program import build
from doorward.server import App
from doorward.settings import ServerSettings, Settings
from doorward.storage.database import Database, Transaction
from doorward.web.cookies import Cookies
from support.pages import PASSWORD, PUBLIC_URL, Browser, Clock, people


@dataclass
class Whole:
    """A program and its database; looks like a ``House`` to a ``Browser``."""

    core: Core
    app: App
    clock: Clock
    cookies: Cookies

    @property
    def public_url(self) -> str:
        return self.core.settings.public_url

    @property
    def database(self) -> Database:
        return self.core.database

    def browser(self, **headers: str) -> Browser:
        """Return a fresh browser profile."""
        return Browser(self, headers)

    async def change(self, use_case: Callable[[Transaction], Any]) -> Any:
        """Run a use case as another process would."""
        return await self.database.write(use_case)


@asynccontextmanager
async def opened_whole(
    folder: Path, *, public_url: str = PUBLIC_URL, empty: bool = False, proxies: Sequence[str] = (), **more: Any
) -> AsyncIterator[Whole]:
    """Yield a program with the people of ``opened_house`` in it, or with nobody; ``proxies`` are trusted, ``more`` are groups of settings."""
    clock = Clock()
    served = ServerSettings(public_url=public_url, trusted_proxies=list(proxies))
    settings = replace(Settings(), data_dir=folder / "whole", server=served, **more)
    core = replace(await open_core(settings, create=True), now=clock)
    if not empty:
        hashed = await core.passwords.hash(PASSWORD)
        await core.database.write(lambda tx: people(tx, hashed))
    try:
        yield Whole(core, await build(core), clock, Cookies(secure=public_url.startswith("https:")))
    finally:
        await core.close()
