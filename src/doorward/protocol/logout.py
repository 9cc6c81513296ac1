"""The sign-out request of a client (OpenID Connect RP-Initiated Logout 1.0, section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from doorward.protocol import faults, form
from doorward.protocol.errors import PageError

MAX_STATE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """What was sent; nothing of it is proven."""

    id_token_hint: str | None = field(repr=False, default=None)
    client_id: str | None = None
    post_logout_redirect_uri: str | None = None
    state: str | None = None


def parse(params: Sequence[tuple[str, str]]) -> LogoutRequest:
    """Read the raw pairs; unknown ones (``logout_hint``, ``ui_locales``) are ignored. Raises ``PageError``."""
    pairs = list(params)
    if form.repeated(pairs):
        raise PageError(faults.LOGOUT_INVALID, reason="a parameter is repeated")
    values = form.present(pairs)
    return LogoutRequest(
        id_token_hint=values.get("id_token_hint"),
        client_id=values.get("client_id"),
        post_logout_redirect_uri=values.get("post_logout_redirect_uri"),
        state=values.get("state", "")[:MAX_STATE] or None,
    )


def location(uri: str, state: str | None) -> str:
    """Return a registered URI, byte for byte, with ``state`` if there is one (section 3)."""
    if state is None:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}state={quote(state, safe='', errors='replace')}"
