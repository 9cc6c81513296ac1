"""API keys at the door of the management API."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from doorward.api.problems import Problem
from doorward.api.requests import Presented
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.model import CredentialKind, Instant, Principal
from doorward.protocol import faults
from doorward.storage.database import Reader
from doorward.web.requester import Requester

Authenticate = Callable[[Reader, str], Principal]
"""Returns a credential's live principal, or raises ``Unauthenticated``."""
Touch = Callable[[CredentialKind, str, Instant, str | None, str | None], None]
MAX_AGENT: Final = 200


class KeyDoor:
    """The ``Authenticate`` of the program: looks where a key comes from, and notes that it was used."""

    def __init__(self, *, door: Door, requester: Requester, touch: Touch, now: Callable[[], Instant]) -> None:
        self._door = door
        self._requester = requester
        self._touch = touch
        self._now = now

    def __call__(self, reader: Reader, text: str) -> Principal:
        """Return who presents ``text``. Raises ``Unauthenticated``."""
        now = self._now()
        if not isinstance(text, Presented):
            return self._door.admit(reader, text, now=now, address=None).principal
        address = self._requester.exactly(text.peer, text.forwarded)
        principal = self._door.admit(reader, text, now=now, address=address).principal
        if principal.credential is CredentialKind.API_KEY and not text.noted:
            text.noted = True
            came_from = text.peer if address is None else str(address)
            agent = text.agent and text.agent[:MAX_AGENT]
            self._touch(principal.credential, principal.credential_id, now, came_from, agent)
        return principal


def principal_of(reader: Reader, authenticate: Authenticate, token: str) -> Principal:
    """Return who comes with an API key. Raises ``Problem`` (401)."""
    try:
        principal = authenticate(reader, token)
    except Unauthenticated as refused:
        raise _unknown_key() from refused
    if principal.credential is not CredentialKind.API_KEY:
        # An access token is for the MCP server it names (RFC 8707), never for this API.
        raise _unknown_key()
    return principal


def _unknown_key() -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'}
    return Problem(
        HTTPStatus.UNAUTHORIZED, "This is not a valid API key.", headers=headers, fault=faults.API_CREDENTIAL_NEEDED
    )
