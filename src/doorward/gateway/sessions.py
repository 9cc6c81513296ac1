"""What an upstream hands to a client for later, wrapped so that only the same caller can bring it back.

Session ids of the older revisions, SSE event ids, cursors of lists, ids of tasks and the ``requestState`` of 2026-07-28
are ours to protect: an upstream that serves many people through one gateway may know a thing by its id alone (K3, K17,
K21, K22, K23). No table: a keyed hash binds the upstream's value to owner, tenant, credential and server, so any node
can check it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from doorward.model import CredentialKind, Instant, Principal, ServerId

_SESSION: Final = ("session", "session that opens addresses")
MAX_WRAPPED: Final = 16 * 1024
"""Characters; a longer value is refused unread."""
_MAC_LENGTH: Final = 22
"""Characters of the mac: 128 of its bits in base64url (with the last one holding 2)."""


class Identity(str):
    """An identity token, and whose it is: for upstreams that keep something for each caller."""

    __slots__ = ("caller", "tenant", "user")

    caller: tuple[str, str, str, str]
    """As of ``caller_key``."""
    tenant: str
    """The slug."""
    user: str


def identity(token: str, principal: Principal) -> Identity:
    """Return ``token``, made for ``principal``, as an ``Identity``."""
    made = Identity(token)
    made.caller, made.tenant, made.user = caller_key(principal), principal.tenant_slug, principal.user_id
    return made


class Binding:
    """``key`` is secret and the same on every node of a deployment; at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def wrap_session(
        self, principal: Principal, server_id: ServerId, session_id: str, *, opens_urls: bool = False
    ) -> str:
        """Return the session id that the client gets for the upstream's ``session_id`` (visible ASCII).

        ``opens_urls``: what the client said when it began, for later messages do not repeat it. Empty for a session in
        which the upstream has no part.
        """
        return self._wrap(_bound(_SESSION[opens_urls], principal, server_id), session_id)

    def unwrap_session(self, principal: Principal, server_id: ServerId, presented: str) -> str | None:
        """Return the upstream's session id, or None for anything not wrapped for exactly this caller."""
        unwrapped = (self._unwrap(_bound(label, principal, server_id), presented) for label in _SESSION)
        return next((session_id for session_id in unwrapped if session_id is not None), None)

    def opens_urls(self, principal: Principal, server_id: ServerId, presented: str) -> bool:
        """Say whether the client of a session said that it opens addresses for its person."""
        return self._unwrap(_bound(_SESSION[True], principal, server_id), presented) is not None

    def wrap_event(self, principal: Principal, server_id: ServerId, session_id: str, event_id: str) -> str:
        """Return the SSE event id that the client gets; bound to the upstream session it was seen in as well."""
        return self._wrap(_bound("event", principal, server_id, session_id), event_id)

    def unwrap_event(self, principal: Principal, server_id: ServerId, session_id: str, presented: str) -> str | None:
        """Return the upstream's event id for ``Last-Event-ID``, or None."""
        return self._unwrap(_bound("event", principal, server_id, session_id), presented)

    def wrap_state(
        self, principal: Principal, server_id: ServerId, request: tuple[str, ...], state: str, until: Instant
    ) -> str:
        """Return the ``requestState`` that the client gets, good ``until`` then for the same ``request`` again (K17)."""
        return self._wrap(_bound("state", principal, server_id, *request), f"{until} {state}")

    def unwrap_state(
        self, principal: Principal, server_id: ServerId, request: tuple[str, ...], presented: str, now: Instant
    ) -> str | None:
        """Return the upstream's ``requestState``, or None."""
        until, _, state = (self._unwrap(_bound("state", principal, server_id, *request), presented) or "0").partition(
            " "
        )
        return state if int(until) > now else None

    def wrap_approval(self, principal: Principal, server_id: ServerId, name: str, digest: str, value: str) -> str:
        """Return a ``requestState`` of our own: bound to the tool and to the digest of the call's arguments (D8)."""
        return self._wrap(_bound("approval", principal, server_id, name, digest), value)

    def unwrap_approval(
        self, principal: Principal, server_id: ServerId, name: str, digest: str, presented: str
    ) -> str | None:
        """Return our own value, or None."""
        return self._unwrap(_bound("approval", principal, server_id, name, digest), presented)

    def wrap_cursor(self, principal: Principal, server_id: ServerId, method: str, cursor: str) -> str:
        """Return the cursor of a next page that the client gets; good for the same list of the same caller (K3)."""
        return self._wrap(_bound("cursor", principal, server_id, method), cursor)

    def unwrap_cursor(self, principal: Principal, server_id: ServerId, method: str, presented: str) -> str | None:
        """Return the upstream's cursor, or None."""
        return self._unwrap(_bound("cursor", principal, server_id, method), presented)

    def wrap_task(self, principal: Principal, server_id: ServerId, task: str) -> str:
        """Return the id of a task that the client gets (K23)."""
        return self._wrap(_bound("task", principal, server_id), task)

    def unwrap_task(self, principal: Principal, server_id: ServerId, presented: str) -> str | None:
        """Return what ``wrap_task`` was given, or None."""
        return self._unwrap(_bound("task", principal, server_id), presented)

    def _wrap(self, bound: bytes, value: str) -> str:
        raw = value.encode("utf-8")
        return urlsafe_b64encode(raw).rstrip(b"=").decode() + "." + self._mac(bound, raw)

    def _unwrap(self, bound: bytes, presented: str) -> str | None:
        text, dot, mac = presented.rpartition(".")
        if not dot or len(mac) != _MAC_LENGTH or len(presented) > MAX_WRAPPED or not presented.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            value = raw.decode("utf-8")
        except ValueError:
            return None
        # The second half refuses other spellings of the same bytes: one value, one wrapper.
        right = hmac.compare_digest(self._mac(bound, raw), mac) and self._wrap(bound, value) == presented
        return value if right else None

    def _mac(self, bound: bytes, value: bytes) -> str:
        digest = hmac.digest(self._key, bound + value, hashlib.sha256)
        return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def caller_key(principal: Principal) -> tuple[str, str, str, str]:
    """Return what makes two calls the same caller: owner, tenant, kind of credential, and which.

    For OAuth the client and not the connection, so that a session outlives a repeated consent.
    """
    which = principal.client_id if principal.credential is CredentialKind.ACCESS_TOKEN else principal.credential_id
    return principal.user_id, principal.tenant_id, principal.credential.value, which or principal.credential_id


def _bound(label: str, principal: Principal, server_id: ServerId, *more: str) -> bytes:
    # Length before each part: no two lists of parts give the same bytes.
    parts = [part.encode() for part in (label, *caller_key(principal), server_id, *more)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts) + b"\xff\xff\xff\xff"
