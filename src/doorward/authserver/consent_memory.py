"""Consent that is remembered: when a client may be let in without a page (security G8, G9; ASVS 10.7.1).

Only for clients that an administrator registered and that prove who they are: anybody can act as a public client, and a
self-registered one is whatever it says. Only where the person ticked it, for the same user, tenant, client as it was
then, redirect URI and server URL, for nothing that they did not answer then, and not for ever. Whatever does not fit
exactly is asked. ``is_remembered`` decides that and nobody else, ``prompt=none`` included.
"""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Final

from doorward import audit
from doorward.authserver import consent
from doorward.authserver.approval import ConsentRules
from doorward.authserver.authorize import SignedIn
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.consent import Answered, AskAgain, Question
from doorward.authserver.envelope import Pending, ShownForm
from doorward.model import (
    SECOND,
    Cause,
    Client,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    Connection,
    Entropy,
    Fingerprint,
    Instant,
    User,
    UserId,
)
from doorward.protocol import redirect_uri
from doorward.protocol.scope import OFFLINE_ACCESS
from doorward.storage import consents
from doorward.storage.consents import RememberedConsent
from doorward.storage.database import Reader, Transaction

LIFETIME: Final = 30 * 86_400 * SECOND
"""From the page on which it was ticked; use does not prolong it."""
_IDENTITY: Final = (
    "kind", "name", "redirect_uris", "grant_types", "auth_method", "scope_limit", "resources", "client_uri", "jwks", "jwks_uri",
)  # fmt: skip


def may_be_remembered(question: Question) -> bool:
    """Say whether the page may offer it."""
    return _trusted(question.client, question.pending.request.redirect_uri)


def is_remembered(reader: Reader, *, question: Question, now: Instant) -> bool:
    """Say whether ``question`` was answered before in a way that stands for it now: then no page is needed."""
    return _found(reader, question, now) is not None


def may_stand(reader: Reader, pending: Pending, user: User) -> bool:
    """Say whether anything is remembered that could answer ``pending``, cheaply; ``is_remembered`` decides."""
    request = pending.request
    return "consent" not in request.prompt and consents.any_remembered(
        reader,
        user_id=user.id,
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        resource=pending.resource,
    )


def approve_as_before(  # noqa: PLR0913
    tx: Transaction, pending: Pending, here: SignedIn, *, rules: ConsentRules,
    now: Instant, entropy: Entropy, cause: Cause | None, browser: Fingerprint | None = None,
) -> Answered | None:  # fmt: skip
    """Approve without a page what is remembered; None, and nothing changed, where it is not (any more).

    Raises ``PageError`` like ``consent.question`` and ``consent.approve``.
    """
    question = consent.question(tx, pending, here, rules=rules, browser=browser)
    found = _found(tx, question, now)
    if found is None:
        return None
    if consent.lock(tx, question, browser):
        question = consent.question(tx, pending, here, rules=rules, browser=browser)
        found = _found(tx, question, now)
        if found is None:
            return None
    answer = consent.approve_unasked(
        tx, question, ticked=found.granted & frozenset(question.form.shown),
        authenticated_at=here[0].authenticated_at, rules=rules, now=now, entropy=entropy, cause=cause,
        browser=browser,
    )  # fmt: skip
    return answer if isinstance(answer, Answered) else None


def keep(  # noqa: PLR0913
    tx: Transaction,
    form: ShownForm,
    answer: Answered | AskAgain,
    *,
    remember: bool,
    directory: ClientDirectory,
    now: Instant,
    cause: Cause | None,
) -> None:
    """Remember an approval if the person ticked that, or forget what was: the last approval counts."""
    connection = answer.connection if isinstance(answer, Answered) else None
    client = None if connection is None else directory.asking(tx, connection.client_id)
    if connection is None or client is None:
        return
    if not remember or not _trusted(client, connection.redirect_uri):
        forget(tx, connection.user_id, connection.client_id, now=now, cause=cause)
        return
    consents.remember_consent(tx, _remembered(form, connection, client, now))
    audit.record(
        tx, name="consent:remembered", at=now, tenant_id=connection.tenant_id, actor_id=connection.user_id,
        subject=connection.id, detail={"client": client.name, "scopes": " ".join(sorted(connection.scopes))},
        cause=cause,
    )  # fmt: skip


def forget(tx: Transaction, user_id: UserId, client_id: ClientId, *, now: Instant, cause: Cause | None) -> bool:
    """Have the person asked again whenever the client comes; say whether anything was remembered."""
    if not consents.forget_consents(tx, user_id, client_id):
        return False
    audit.record(tx, name="consent:forgotten", at=now, actor_id=user_id, subject=client_id, cause=cause)
    return True


def _trusted(client: Client, answer_to: str) -> bool:
    """Say whether the client proves itself, and the answer goes to an address that is its own (G9)."""
    target = redirect_uri.describe(answer_to)
    proven = client.kind is ClientKind.REGISTERED and client.auth_method is not ClientAuthMethod.NONE
    return proven and target.scheme == "https" and not target.is_loopback


def _found(reader: Reader, question: Question, now: Instant) -> RememberedConsent | None:
    pending, client = question.pending, question.client
    # Several tenants: which one is for the person to say. ``prompt=consent`` asks for the page by name.
    if not may_be_remembered(question) or len(question.choices) != 1 or "consent" in pending.request.prompt:
        return None
    found = consents.remembered_consent(
        reader, user_id=question.user.id, tenant_id=question.chosen.tenant.id, client_id=client.id,
        redirect_uri=pending.request.redirect_uri, resource=pending.resource,
    )  # fmt: skip
    if found is None or found.expires_at <= now or found.client_digest != _digest(client):
        return None
    # What the person could not tick then and may do now was never answered: asked again, or a step-up would go in
    # circles. What they declined then stays declined.
    granted = found.granted & question.chosen.allowed
    fits = question.chosen.allowed <= found.answered and bool(granted - {OFFLINE_ACCESS})
    return found if fits else None


def _remembered(form: ShownForm, connection: Connection, client: Client, now: Instant) -> RememberedConsent:
    return RememberedConsent(
        user_id=connection.user_id,
        tenant_id=connection.tenant_id,
        client_id=connection.client_id,
        redirect_uri=connection.redirect_uri,
        resource=connection.resource,
        answered=form.offered,
        granted=form.offered - connection.declined,
        client_digest=_digest(client),
        expires_at=Instant(now + LIFETIME),
    )


def _digest(client: Client) -> str:
    """Return what tells this client from itself with other metadata."""
    said = {name: value for name, value in asdict(client).items() if name in _IDENTITY}
    return sha256(json.dumps(said, sort_keys=True, default=sorted).encode()).hexdigest()
