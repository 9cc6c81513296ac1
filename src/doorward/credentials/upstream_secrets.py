"""Credentials that the gateway shows to upstreams (feature D6): sealed at rest, bound to their name, never shown."""

import re
from typing import Final

from doorward import audit
from doorward.model import Entropy, Instant
from doorward.storage import upstream_secrets
from doorward.storage.database import Transaction
from doorward.vault import Sealer

LABEL: Final = "upstream secret"
MAX_BYTES: Final = 64 * 1024
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class SecretRefused(Exception):  # noqa: N818  (what happened to the wish)
    """Nothing was changed. The message is for the person who asked."""


def seal(name: str, value: str, *, sealer: Sealer, entropy: Entropy) -> str:
    """Return ``value`` sealed under ``name``. Raises ``SecretRefused`` for what cannot be one."""
    if NAME.fullmatch(name) is None:
        raise SecretRefused("not a name for a secret. Use letters, digits, _, - and ., a letter first.")
    return seal_own(name, value, sealer=sealer, entropy=entropy)


def seal_own(name: str, value: str, *, sealer: Sealer, entropy: Entropy) -> str:
    """The same under a name that no operator can choose: of a server that a tenant added."""
    if not value or "\0" in value or len(value.encode()) > MAX_BYTES:
        raise SecretRefused("no value, or one that is too long. Write the secret to standard input.")
    return sealer.seal(LABEL, value.encode(), aad=name.encode(), entropy=entropy)


def unseal(name: str, sealed: str, *, sealer: Sealer) -> str:
    """Return the value. Raises ``Unsealed``."""
    return sealer.open(LABEL, sealed, aad=name.encode()).decode()


def set_secret(tx: Transaction, name: str, sealed: str, *, now: Instant) -> None:
    """Keep a sealed value; the next call uses it."""
    upstream_secrets.put_secret(tx, name, sealed, now)
    audit.record(tx, name="upstream_secret:set", at=now, subject=name, cause=None)


def remove_secret(tx: Transaction, name: str, *, now: Instant) -> None:
    """Forget a value; calls to servers that need it fail from now on. Raises ``SecretRefused``."""
    if not upstream_secrets.remove_secret(tx, name):
        raise SecretRefused("there is no secret of this name. See `doorward secret list`.")
    audit.record(tx, name="upstream_secret:removed", at=now, subject=name, cause=None)
