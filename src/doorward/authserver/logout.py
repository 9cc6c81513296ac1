"""What becomes of a client's wish that a person signs out (RP-Initiated Logout 1.0; security D9; CVE-2026-9086).

Only the browser's session ends: connections outlive it (feature B2). A browser is sent on to a registered URI,
byte for byte, and only where its person is the one that the client's ID token is about, or the client is one that an
administrator registered: anybody may register a client, and must not get a redirect from our address by it.
"""

from dataclasses import dataclass

from doorward import audit
from doorward.accounts import sessions
from doorward.authserver import identity
from doorward.authserver.authorize import SignedIn
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.secret import Fingerprinter
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import Cause, Client, ClientId, ClientKind, Instant, Status
from doorward.protocol import faults, logout
from doorward.protocol.errors import PageError
from doorward.protocol.logout import LogoutRequest
from doorward.storage.database import Reader, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do. ``confirm``: ask the person first. ``location``: where the browser goes after, if anywhere."""

    confirm: bool
    location: str | None
    client_name: str | None
    strayed: bool
    """A way back was asked for, and is not given."""


def plan(
    reader: Reader, request: LogoutRequest, signed_in: SignedIn | None, *, keys: SigningKeys,
    directory: ClientDirectory, issuer: str,
) -> Plan:  # fmt: skip
    """Decide about a request. Raises ``PageError`` where ``client_id`` is not the ID token's (section 2)."""
    hint = None if request.id_token_hint is None else identity.read_hint(keys, request.id_token_hint, issuer)
    if hint is not None and request.client_id not in (None, hint.client_id):
        raise PageError(faults.LOGOUT_INVALID, reason="client_id is not the audience of id_token_hint")
    user_id = None if signed_in is None else signed_in[1].id
    proven = hint is not None and hint.user_id == user_id
    if hint is not None and (proven or user_id is None):
        client = _client(reader, directory, hint.client_id)
    else:
        # A hint that is damaged, or about somebody else, counts for nothing, and nothing beside it does.
        client = None if request.id_token_hint is not None else _client(reader, directory, request.client_id)
    uri = request.post_logout_redirect_uri
    may = client is not None and (proven or client.kind is ClientKind.REGISTERED)
    back = uri if may and client is not None and uri in client.post_logout_redirect_uris else None
    return Plan(
        confirm=user_id is not None and not proven,
        location=None if back is None else logout.location(back, request.state),
        client_name=None if client is None else client.name,
        strayed=uri is not None and back is None,
    )


def sign_out(
    tx: Transaction, cookie: str | None, plan: Plan, *, fingerprinter: Fingerprinter, now: Instant,
    cause: Cause | None,
) -> None:  # fmt: skip
    """End the session of ``cookie``, if it is one; every connection lives on."""
    ended = sessions.end_session(tx, cookie, fingerprinter=fingerprinter, now=now)
    if ended is not None:
        by = {} if plan.client_name is None else {"client": plan.client_name}
        audit.record(
            tx, name="session:ended", at=now, actor_id=ended.user_id, subject=ended.id, detail=by,
            cause=cause,
        )  # fmt: skip


def _client(reader: Reader, directory: ClientDirectory, client_id: str | None) -> Client | None:
    client = None if client_id is None else directory.find(reader, ClientId(client_id))
    return client if client is not None and client.status is Status.ACTIVE else None
