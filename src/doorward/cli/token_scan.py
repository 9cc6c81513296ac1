"""``doorward token check`` and ``scan-rules``: keys told apart from damaged and leaked ones."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import deployment, settings_of, with_core
from doorward.credentials import scan_rules as rules
from doorward.credentials.secret import well_formed

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader

FORMATS = {"gitleaks": rules.gitleaks, "trufflehog": rules.trufflehog}
MAX_KEY = 1000


@click.command(epilog="Example: doorward token check < key.txt")
@click.option("--offline", is_flag=True, help="Look at the form alone: intact or damaged.")
@deployment
def check(*, offline: bool, config: Path | None, data: Path | None) -> None:
    """Read a key from standard input and say how it is: damaged, unknown, or which and in what state."""
    settings = settings_of(config, data)
    text = sys.stdin.read(MAX_KEY).strip()
    if not well_formed(text, settings.api_keys.prefix):
        raise CommandFailed("this key is damaged: its checksum is wrong. Copy it again, whole and without quotes.")
    if offline:
        print("This key is intact. Whether it is good only a server can say.")
        return

    async def use(core: "Core") -> dict[str, Any]:
        from doorward.credentials.authenticate import Unauthenticated, key_by_secret  # noqa: PLC0415
        from doorward.credentials.key_views import state_of  # noqa: PLC0415

        now, fingerprint = core.now(), core.fingerprinter.of(text)

        def read(reader: "Reader") -> dict[str, Any]:
            try:
                key, ends_at = key_by_secret(reader, fingerprint, now)
            except Unauthenticated as unknown:
                raise CommandFailed(f"this key is not good: {unknown.reason}.") from unknown
            return {
                "id": key.id,
                "name": key.name,
                "state": state_of(key, now).value,
                "old_secret": ends_at is not None,
            }

        return await core.database.read(read)

    print(json.dumps(with_core(settings, use)))


@click.command(name="scan-rules", epilog="Example: doorward token scan-rules --format gitleaks > doorward.toml")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="gitleaks", show_default=True, help="For which."
)
@deployment
def scan_rules(*, form: str, config: Path | None, data: Path | None) -> None:
    """Print rules with which a scanner finds keys of this deployment's prefix in files and histories."""
    print(FORMATS[form](settings_of(config, data).api_keys.prefix), end="")
