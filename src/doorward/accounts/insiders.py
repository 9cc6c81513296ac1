"""People who call the gateway from a page of ours: known by their session, for as long as one call takes.

The page lets them in and gets a bearer that nobody else could have: it is random, kept in this process alone, good for
one tenant, and forgotten when the call is over. Everything after it is what any caller meets.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from doorward.accounts import ways_in
from doorward.accounts.sessions import may_sign_in
from doorward.credentials.principals import Authenticated, Unauthenticated, principal_of_session
from doorward.credentials.secret import base64url
from doorward.model import Entropy, Fingerprint, Instant, Session, TenantId
from doorward.storage import accounts, sessions
from doorward.storage.database import Reader

PREFIX: Final = "inside~"
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class _Inside:
    fingerprint: Fingerprint
    tenant_id: TenantId


class Insiders:
    """One per process. ``authenticate`` is for all other bearers."""

    def __init__(self, authenticate: Callable[..., Authenticated], *, entropy: Entropy) -> None:
        self._others = authenticate
        self._entropy = entropy
        self._inside: dict[str, _Inside] = {}

    @contextmanager
    def let_in(self, session: Session, tenant_id: TenantId) -> Iterator[str]:
        """Yield a bearer for the person of ``session`` in a tenant, good until the end of the block."""
        token = PREFIX + base64url(self._entropy(_BYTES))
        self._inside[token] = _Inside(session.fingerprint, tenant_id)
        try:
            yield token
        finally:
            del self._inside[token]

    def authenticate(self, reader: Reader, token: str, *, now: Instant) -> Authenticated:
        """Return who presents ``token``, from live rows. Raises ``Unauthenticated``."""
        if not token.startswith(PREFIX):
            return self._others(reader, token, now=now)
        inside = self._inside.get(token)
        if inside is None:
            raise Unauthenticated("no page of ours let this one in")
        session = sessions.session_by_fingerprint(reader, inside.fingerprint, now)
        user = None if session is None else accounts.user_by_id(reader, session.user_id)
        if session is None or user is None or not may_sign_in(user):
            raise Unauthenticated("the session has ended")
        if ways_in.why_not(reader, user, session.means) or not ways_in.may_act(reader, session, inside.tenant_id):
            raise Unauthenticated("the session's way in is not taken here")
        return principal_of_session(reader, session, inside.tenant_id)
