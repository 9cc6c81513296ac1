"""Passkeys, where the public URL is one that browsers make passkeys for."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from doorward.accounts.passkey_challenges import Challenges
from doorward.accounts.passkey_site import Site
from doorward.accounts.passkeys import Passkeys
from doorward.bootstrap.shared import Shared


def passkeys_of(shared: Shared) -> Passkeys | None:
    """Return the use cases; None where the public URL names an address: a passkey belongs to a domain, or localhost."""
    core, host = shared.core, urlsplit(shared.core.settings.public_url).hostname or ""
    if _is_address(host):
        return None
    return Passkeys(
        database=core.database,
        challenges=Challenges(core.sealer, core.entropy),
        entering=shared.entering,
        site=Site(host=host, origin=core.settings.public_url),
        now=core.now,
        entropy=core.entropy,
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
