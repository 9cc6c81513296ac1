"""A person's calls to a server that knows them by their own account: their token, over connections of their own.

A 401 says that nothing was done. It is believed where doing it twice would do no harm, or where the server says in the
words of RFC 6750 that the token is why; then the call is made once more with a token that was refreshed meanwhile.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from doorward.credentials.key_makers import known_to_others
from doorward.gateway.head import Header
from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.http_pool import Target
from doorward.gateway.sessions import Identity
from doorward.gateway.upstream_oauth.grants import Grants, NotLinked
from doorward.gateway.upstream_oauth.tokens import Place
from doorward.model import AuthKind, CredentialKind, Principal, Server, TenantId, UserId
from doorward.protocol.outbound.protected_resource import challenge_of
from doorward.storage.database import Database

UNAUTHORIZED: Final = 401

Send = Callable[[Target, Header], Awaitable[Answer]]
"""``send(to, shown)`` makes the request with the header ``shown``. Raises ``UpstreamFailure``."""


def by_account(server: Server) -> bool:
    """Say whether ``server`` knows each person by an account of theirs."""
    return server.auth is not None and server.auth.kind is AuthKind.OAUTH


class Accounts:
    """One per process."""

    def __init__(self, grants: Grants, database: Database) -> None:
        self._grants = grants
        self._database = database

    async def linked(self, principal: Principal, server: Server) -> str:
        """Return which linked account ``principal`` calls with: an id that no other account has.

        Raises ``NotLinked``, and ``UpstreamFailure`` for a key that an administrator made or rotated: whoever holds that
        one is not the person whose account it is.
        """
        is_key = principal.credential is CredentialKind.API_KEY
        if is_key and await self._database.read(lambda reader: bool(known_to_others(reader, principal))):
            raise UpstreamFailure(UpstreamError.NOT_THEIR_OWN, "a key whose secret somebody else was shown")
        return await self._grants.linked((principal.tenant_id, principal.user_id, server.id), server)

    async def call(
        self, server: Server, identity: Identity, to: Target, send: Send, *, repeatable: bool
    ) -> Answer:  # fmt: skip
        """Return the answer to a request as the person of ``identity``. Raises ``NotLinked``, ``UpstreamFailure``."""
        place = _place(identity, server)
        theirs = replace(to, whose=" ".join(place))
        token = await self._grants.token(place, server)
        answer = await send(theirs, _bearer(token))
        if answer.status != UNAUTHORIZED:
            return answer
        told = challenge_of(answer.headers.get(b"www-authenticate", b"").decode("latin-1"))
        answer.close()
        fresh = await self._grants.renewed(place, server, token)
        if not repeatable and told.error != "invalid_token":
            raise UpstreamFailure(UpstreamError.RENEWED, "401 to a call that is not repeated", retry_after=1.0)
        answer = await send(theirs, _bearer(fresh))
        if answer.status == UNAUTHORIZED:
            answer.close()
            raise NotLinked("the server refuses a fresh token")
        return answer

    async def stop(self) -> None:
        """Wait for refreshes under way."""
        await self._grants.stop()


def _place(identity: Identity, server: Server) -> Place:
    user_id, tenant_id, *_ = identity.caller
    return TenantId(tenant_id), UserId(user_id), server.id


def _bearer(token: str) -> Header:
    return b"authorization", b"Bearer " + token.encode()
