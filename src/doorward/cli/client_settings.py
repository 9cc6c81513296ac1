"""``doorward client disable``, ``enable`` and ``lifetime``: what an administrator sets for a client of any kind."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from doorward.authserver import client_settings
from doorward.authserver.client_settings import SHORTEST, ClientUnknownError
from doorward.authserver.lifetimes import LONGEST
from doorward.cli.errors import CommandFailed
from doorward.cli.options import about, settings_of, with_core
from doorward.model import ClientId, Instant, Status

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Transaction

_TIME: Final = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command(epilog="Example: doorward client disable client_3f09ab12cd")
@about(client_id="CLIENT")
def disable(*, client_id: str, config: Path | None, data: Path | None) -> None:
    """Refuse CLIENT everything from its next call on. Its connections stay and work again after `enable`."""
    changed = _change(
        config,
        data,
        lambda tx, now: client_settings.set_status(tx, ClientId(client_id), Status.DISABLED, now=now, cause=None),
    )
    print(f"Client {client_id} {'is disabled' if changed else 'was disabled before'}.")


@click.command(epilog="Example: doorward client enable client_3f09ab12cd")
@about(client_id="CLIENT")
def enable(*, client_id: str, config: Path | None, data: Path | None) -> None:
    """Let CLIENT work again."""
    changed = _change(
        config,
        data,
        lambda tx, now: client_settings.set_status(tx, ClientId(client_id), Status.ACTIVE, now=now, cause=None),
    )
    print(f"Client {client_id} {'is enabled' if changed else 'was enabled before'}.")


@click.command(epilog="Example: doorward client lifetime client_3f09ab12cd 24h")
@about(client_id="CLIENT", time="TIME")
def lifetime(*, client_id: str, time: str, config: Path | None, data: Path | None) -> None:
    """Let access tokens of CLIENT live for TIME: seconds, or like 15m, 24h or 30d; `default` for the usual.

    A tenant's own limit counts where it is shorter. Tokens that are out already keep their end.
    """
    seconds = None if time == "default" else _seconds(time)
    changed = _change(
        config, data, lambda tx, now: client_settings.set_access_ttl(tx, ClientId(client_id), seconds, now=now)
    )
    said = "the usual time" if seconds is None else f"{seconds} seconds"
    print(f"Access tokens of {client_id} live for {said}{'' if changed else ', as before'}.")


def _seconds(text: str) -> int:
    found = _TIME.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not SHORTEST <= seconds <= LONGEST:
        raise CommandFailed(f"{text[:40]!r} is no lifetime. Write 60 seconds to 30 days, like 15m, 24h or 30d.")
    return seconds


def _change(config: Path | None, data: Path | None, change: "Callable[[Transaction, Instant], bool]") -> bool:
    async def use(core: "Core") -> bool:
        now = core.now()
        return await core.database.write(lambda tx: change(tx, now))

    try:
        return with_core(settings_of(config, data), use)
    except ClientUnknownError as wrong:
        raise CommandFailed(str(wrong)) from wrong
