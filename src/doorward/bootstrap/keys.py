"""What looks after API keys beside the requests."""

from pathlib import Path
from typing import Final

from doorward.accounts import ending_keys
from doorward.bootstrap.core import Core
from doorward.mail.outbox import Outbox
from doorward.settings import Settings, SettingsError

SHORTEST: Final = 24
"""Characters of a secret that a report may be signed with."""


def leak_secrets(settings: Settings) -> list[bytes]:
    """Return the secrets that reports of leaked keys may be signed with. Raises ``SettingsError``."""
    name = settings.api_keys.leak_secret_file
    if not name:
        return []
    try:
        lines = Path(name).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"api_keys.leak_secret_file: {name} cannot be read. Mend the path.") from wrong
    if not lines or min(map(len, lines)) < SHORTEST:
        # Whoever guesses it ends everybody's keys that they know.
        raise SettingsError(
            f"api_keys.leak_secret_file: each line is one secret of {SHORTEST} characters or more. Write a longer one."
        )
    return [line.encode() for line in lines]


async def tell_of_ends(core: Core, outbox: Outbox) -> None:
    """Tell people of keys that are about to end."""
    await ending_keys.tell_all(core.database, outbox=outbox, public_url=core.settings.public_url, now=core.now)
