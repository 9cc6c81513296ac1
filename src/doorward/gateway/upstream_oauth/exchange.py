"""The token endpoint of others: redeeming a code, refreshing, revoking. Tokens go nowhere but where they came from."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog

from doorward.gateway.upstream_oauth.asking import Asking, Elsewhere
from doorward.gateway.upstream_oauth.tokens import Terms, Tokens
from doorward.protocol import faults
from doorward.protocol.outbound import grant
from doorward.protocol.outbound.client import OwnClient
from doorward.protocol.outbound.grant import Granted

_ABOUT_THE_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})

_log = structlog.get_logger("doorward.gateway")


class Rejected(Exception):  # noqa: N818  (an answer)
    """The grant is no more (``invalid_grant``): asking again with it is no use."""


class Exchange:
    """``client`` is that of the terms with the secret as it is now."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def redeem(
        self, terms: Terms, client: OwnClient, *, code: str, redirect_uri: str, verifier: str, asker: str
    ) -> Granted:
        """Return the tokens for a code. Raises ``Elsewhere``, ``Rejected``."""
        form = grant.code_form(code=code, redirect_uri=redirect_uri, verifier=verifier, resource=terms.resource)
        return await self._granted(terms, client, form, asker=asker)

    async def refresh(self, tokens: Tokens, client: OwnClient, *, asker: str) -> Granted:
        """Return new tokens. Raises ``Elsewhere``, ``Rejected``."""
        form = grant.refresh_form(refresh_token=tokens.refresh_token, resource=tokens.terms.resource)
        return await self._granted(tokens.terms, client, form, asker=asker)

    async def revoke(self, tokens: Tokens, client: OwnClient, *, asker: str) -> bool:
        """Tell the other side that an account is not linked any more (RFC 7009); say whether it was told."""
        url = tokens.terms.revocation_endpoint
        if not url:
            return False
        held = {"refresh_token": tokens.refresh_token, "access_token": tokens.access_token}
        kind, token = next((kind, token) for kind, token in held.items() if token)
        try:
            form = {"token": token, "token_type_hint": kind}
            status, _ = await self._asking.form(url, form, client, asker=asker, empty=True)
        except Elsewhere as away:
            _log.info("not revoked", issuer=tokens.terms.issuer, reason=away.reason)
            return False
        return status == HTTPStatus.OK

    async def _granted(self, terms: Terms, client: OwnClient, form: Mapping[str, str], *, asker: str) -> Granted:
        status, members = await self._asking.form(terms.token_endpoint, form, client, asker=asker)
        if status != HTTPStatus.OK:
            raise _refusal(terms, status, members)
        try:
            return grant.granted(members)
        except ValueError as wrong:
            raise Elsewhere(faults.LINK_TOKEN, f"{terms.issuer}: {wrong}", later=True) from wrong


def _refusal(terms: Terms, status: int, members: Mapping[str, Any]) -> Exception:
    error = grant.error_in(members)
    if error == "invalid_grant":
        return Rejected(f"{terms.issuer}: invalid_grant")
    if error in _ABOUT_THE_CLIENT:
        return Elsewhere(faults.LINK_CLIENT_REFUSED, f"{terms.issuer}: {error}")
    return Elsewhere(faults.LINK_TOKEN, f"{terms.issuer}: status {status}, error {error or 'none'}", later=True)
