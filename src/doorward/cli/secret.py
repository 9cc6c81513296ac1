"""``doorward secret``: credentials for the MCP servers behind the door, kept sealed and never shown (D6)."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.expiry import in_words
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.credentials import upstream_secrets as rules
from doorward.credentials.upstream_secrets import MAX_BYTES, SecretRefused
from doorward.storage import upstream_secrets as stored

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core


@click.group(epilog="Example: doorward secret list")
def secret() -> None:
    """Keep credentials for MCP servers and sign-in providers, sealed. A running server uses what is changed here at its next call."""


@secret.command(name="set", epilog="Example: doorward secret set WIKI_TOKEN < token.txt")
@about(name="NAME")
def set_secret(*, name: str, config: Path | None, data: Path | None) -> None:
    """Read a value from standard input and keep it under NAME, in place of an earlier one. It is never shown again."""
    if sys.stdin.isatty():
        value = click.prompt("Value", hide_input=True, err=True)
    else:
        raw = sys.stdin.buffer.read(MAX_BYTES + 2)
        try:
            value = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as wrong:
            raise CommandFailed("the value is not UTF-8. Write the secret to standard input as text.") from wrong

    async def use(core: "Core") -> None:
        sealed = rules.seal(name, value, sealer=core.sealer, entropy=core.entropy)
        await core.database.write(lambda tx: rules.set_secret(tx, name, sealed, now=core.now()))

    try:
        with_core(settings_of(config, data), use)
    except SecretRefused as refused:
        raise CommandFailed(str(refused)) from refused
    print(f"{name} is kept.")


@secret.command(name="list", epilog="Example: doorward secret list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_secrets(*, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which there are, and when each was set."""

    async def use(core: "Core") -> list[stored.UpstreamSecret]:
        return await core.database.read(stored.secrets)

    found = with_core(settings_of(config, data), use)
    changed = {each.name: in_words(each.changed_at).removeprefix("until ") for each in found}
    if as_json:
        print(json.dumps({"secrets": [{"name": name, "set": at} for name, at in changed.items()]}))
        return
    for name, at in changed.items():
        print(f"{name}  set {at}")


@secret.command(epilog="Example: doorward secret remove WIKI_TOKEN")
@about(name="NAME")
def remove(*, name: str, config: Path | None, data: Path | None) -> None:
    """Forget the secret NAME. Calls to servers that need it fail from the next one on."""

    async def use(core: "Core") -> None:
        await core.database.write(partial(rules.remove_secret, name=name, now=core.now()))

    try:
        with_core(settings_of(config, data), use)
    except SecretRefused as refused:
        raise CommandFailed(str(refused)) from refused
    print(f"{name} is removed.")
