"""``doorward client``: which clients may be let in, and their secrets, which follow one another without a gap (C28)."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from doorward.cli import client_register, client_settings, client_verdicts
from doorward.cli.errors import CommandFailed
from doorward.cli.expiry import in_words
from doorward.cli.options import deployment, settings_of, with_core
from doorward.credentials.client_secrets import (
    SecretRefused,
    add_client_secret,
    is_live,
    retire_client_secret,
    secrets_of,
)
from doorward.model import SECOND, ClientId, Instant

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.credentials.client_secrets import NewSecret
    from doorward.model import ClientSecret

_DELAY: Final = re.compile(r"([1-9][0-9]{0,3})([hd])")
_UNIT: Final = {"h": 3600 * SECOND, "d": 86_400 * SECOND}


@click.group(epilog="Example: doorward client list")
def client() -> None:
    """Look after OAuth clients: register them, say which may be let in, and replace their secrets."""


for command in (
    client_verdicts.list_clients,
    client_verdicts.allow,
    client_verdicts.deny,
    client_verdicts.allow_redirect,
    client_register.register,
    client_register.show,
    client_register.change,
    client_register.delete,
    client_settings.disable,
    client_settings.enable,
    client_settings.lifetime,
):
    client.add_command(command)


@client.group(epilog="Example: doorward client secret list portal")
def secret() -> None:
    """Replace a client's secret: add a new one, hand it over, retire the old one. Works beside a running server."""


@secret.command(epilog="Example: doorward client secret add portal")
@click.argument("client_id", metavar="CLIENT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def add(*, client_id: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Make one more secret for CLIENT and print it. It is shown only now."""

    async def use(core: "Core") -> "NewSecret":
        now = core.now()
        return await core.database.write(
            lambda tx: add_client_secret(
                tx,
                ClientId(client_id),
                now=now,
                entropy=core.entropy,
                fingerprinter=core.fingerprinter,
                cause=None,
            )
        )

    try:
        made = with_core(settings_of(config, data), use)
    except SecretRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong
    if as_json:
        print(json.dumps({"client": client_id, "id": made.secret.id, "secret": made.text}))
        return
    print(f"{made.text}\n\nShown only now. Its id is {made.secret.id}; older secrets stay good until you retire them.")


@secret.command(name="list", epilog="Example: doorward client secret list portal")
@click.argument("client_id", metavar="CLIENT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_secrets(*, client_id: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which secrets CLIENT has, oldest first, and until when each is good."""

    async def use(core: "Core") -> "tuple[list[ClientSecret], Instant]":
        return await core.database.read(lambda reader: secrets_of(reader, ClientId(client_id))), core.now()

    try:
        found, now = with_core(settings_of(config, data), use)
    except SecretRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong
    if as_json:
        rows = [{"id": each.id, "good": is_live(each, now), "ends": _end(each)} for each in found]
        print(json.dumps({"client": client_id, "secrets": rows}))
        return
    for each in found:
        print(f"{each.id}  {in_words(each.expires_at)}{'' if is_live(each, now) else ', ended'}")


@secret.command(epilog="Example: doorward client secret retire portal 3f09ab12cd --in 24h")
@click.argument("client_id", metavar="CLIENT")
@click.argument("secret_id", metavar="ID")
@click.option("--in", "delay", default="24h", show_default=True, help="now, or hours or days like 1h, 24h, 7d.")
@deployment
def retire(*, client_id: str, secret_id: str, delay: str, config: Path | None, data: Path | None) -> None:
    """Let the secret ID of CLIENT be good for a while longer, and never again. `list` shows the ids."""

    async def use(core: "Core") -> Instant:
        now = core.now()
        until = ends_in(delay, now)
        await core.database.write(
            lambda tx: retire_client_secret(tx, ClientId(client_id), secret_id, until, now=now, cause=None)
        )
        return until

    try:
        until = with_core(settings_of(config, data), use)
    except SecretRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong
    print(f"Secret {secret_id} of {client_id} is good {in_words(until)}.")


def ends_in(text: str, now: Instant) -> Instant:
    """Return the moment that ``now``, ``24h`` or ``7d`` means. Raises ``CommandFailed``."""
    if text == "now":
        return now
    found = _DELAY.fullmatch(text)
    if found is None:
        raise CommandFailed(f"--in {text[:40]!r} is no time. Write now, or hours or days like 24h or 7d.")
    return Instant(now + int(found[1]) * _UNIT[found[2]])


def _end(each: "ClientSecret") -> str | None:
    return None if each.expires_at is None else in_words(each.expires_at).removeprefix("until ")
