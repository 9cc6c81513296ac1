"""The token endpoint: authenticate the client, read the grant, let its file decide, and only then mint.

The grant runs in one write; the access token is signed after the commit that holds the change. What a crash in between
loses can be asked for again: the same refresh token gives the same successor.
"""

from dataclasses import replace

from doorward.authserver import clients, lifetimes
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.grants import authorization_code, client_credentials, device_code, refresh_token
from doorward.authserver.grants.outcome import Granted, Refused, TokenRules
from doorward.model import Client, Entropy, Instant
from doorward.protocol import faults
from doorward.protocol import token as messages
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import (
    DEVICE_CODE,
    AuthorizationCodeRequest,
    ClientCredentialsRequest,
    DeviceCodeRequest,
    TokenForm,
)
from doorward.storage.database import Reader, Transaction


def exchange(  # noqa: PLR0913
    tx: Transaction, form: TokenForm, presented: PresentedClient, *, directory: ClientDirectory, rules: TokenRules,
    now: Instant, entropy: Entropy,
) -> Granted | Refused:  # fmt: skip
    """Decide one token request. Raises ``OAuthError`` where the refusal changes nothing."""
    outcome = _decide(tx, form, presented, directory=directory, rules=rules, now=now, entropy=entropy)
    if isinstance(outcome, Refused) or outcome.access_ttl is not None:
        return outcome
    of = outcome.connection
    ttl = lifetimes.access_ttl(tx, of.client_id, of.tenant_id, default=rules.access_ttl, most=rules.access_most)
    return replace(outcome, access_ttl=ttl)


def _decide(  # noqa: PLR0913
    tx: Transaction, form: TokenForm, presented: PresentedClient, *, directory: ClientDirectory, rules: TokenRules,
    now: Instant, entropy: Entropy,
) -> Granted | Refused:  # fmt: skip
    client, request = _asked(tx, form, presented, directory=directory, rules=rules, now=now)
    if isinstance(request, AuthorizationCodeRequest):
        return authorization_code.redeem(tx, request, client, rules=rules, now=now, entropy=entropy)
    if isinstance(request, ClientCredentialsRequest):
        return client_credentials.issue(tx, request, client, rules=rules, now=now, entropy=entropy)
    if isinstance(request, DeviceCodeRequest):
        return device_code.redeem(tx, request, client, rules=rules, now=now, entropy=entropy)
    return refresh_token.refresh(tx, request, client, rules=rules, now=now)


def is_device(form: TokenForm) -> bool:
    """Say whether a device asks: then its client may be one that nobody has approved yet."""
    return form.values.get("grant_type") == DEVICE_CODE


def look(
    reader: Reader, form: TokenForm, presented: PresentedClient, *, directory: ClientDirectory, rules: TokenRules,
    now: Instant,
) -> None:  # fmt: skip
    """Return where a device's question is worth a write. Raises ``OAuthError``: what it is told otherwise."""
    client, request = _asked(reader, form, presented, directory=directory, rules=rules, now=now)
    if isinstance(request, DeviceCodeRequest):
        device_code.look(reader, request, client, rules=rules, now=now)


def answer(granted: Granted, *, rules: TokenRules, now: Instant, entropy: Entropy) -> dict[str, str | int]:
    """Mint the access token and return the members of the answer (C32)."""
    scopes = {*granted.scopes, *granted.identity}
    text, expires_in = rules.issuer.access_token(
        granted.connection,
        scopes,
        now=now,
        entropy=entropy,
        ttl=rules.access_ttl if granted.access_ttl is None else granted.access_ttl,
    )
    said = messages.token_response(text, expires_in, scopes, granted.refresh_token)
    if granted.signed_in is None:
        return said
    return {**said, "id_token": rules.issuer.id_token(granted.signed_in, access_token=text, now=now)}


def _asked(
    reader: Reader, form: TokenForm, presented: PresentedClient, *, directory: ClientDirectory, rules: TokenRules,
    now: Instant,
) -> tuple[Client, messages.TokenRequest]:  # fmt: skip
    """Return who asks, proven, and for what."""
    client = clients.authenticated(reader, directory, presented, rules.fingerprinter, now, asking=is_device(form))
    request = messages.read_grant(form)
    _require_grant(client, form.required("grant_type"))
    return client, request


def _require_grant(client: Client, grant_type: str) -> None:
    # C14: what the server offers is not yet what this client registered for.
    if grant_type not in client.grant_types:
        reason = f"client {client.id} is not registered for {grant_type}"
        raise OAuthError(faults.GRANT_NOT_REGISTERED, "unauthorized_client", reason=reason)
