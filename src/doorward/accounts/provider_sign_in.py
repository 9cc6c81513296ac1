"""Signing in through an identity provider: sent there once, taken back once, in the same browser (security H3, H15, H17).

What the answer must fit stands in a row that names the browser and the provider, sealed; the first answer takes the row
away, whatever comes of it. The provider is asked between two transactions: the second looks again at everything.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final, TypeVar

from doorward.accounts import first_sign_in, ways_in
from doorward.accounts.entering import Entering, SignedIn, refuse
from doorward.accounts.first_sign_in import Nobody
from doorward.accounts.sessions import Came, session_user
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.federation.provider_client import Asked, ProviderClient
from doorward.federation.vouching import NotVouched, Vouched
from doorward.model import SECOND, Entropy, Fingerprint, IdentityProvider, Instant, ProviderId, Status, UserId
from doorward.storage import accounts, identities, identity_providers
from doorward.storage.database import Conflict, Database, Reader, Transaction
from doorward.storage.identities import ProviderSignIn
from doorward.vault import Sealer

LIFETIME: Final = 600 * SECOND
"""Time to sign in at the provider."""
_LABEL: Final = "provider-sign-in/1"
_SECRET_BYTES: Final = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Why somebody was sent to a provider. ``target`` is a path of ours; ``connect`` is who wants to be known there."""

    asked: Asked
    target: str
    connect: UserId | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """The identity is the person's now."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The identity is somebody's already."""


class ProviderSignIns:
    """The use cases, with what they need. ``callback(slug)`` is the redirect URI of a provider: each has its own (H17)."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        database: Database,
        client: ProviderClient,
        entering: Entering,
        sealer: Sealer,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        entropy: Entropy,
        callback: Callable[[str], str],
    ) -> None:
        self._database, self._client, self._entering = database, client, entering
        self._sealer, self._fingerprinter = sealer, fingerprinter
        self._now, self._entropy, self._callback = now, entropy, callback

    async def provider(self, slug: str) -> IdentityProvider | None:
        """Return the provider of this name, while it is switched on."""
        found = await self._database.read(lambda reader: identity_providers.provider_by_slug(reader, slug))
        return found if found is not None and found.status is Status.ACTIVE else None

    async def start(
        self, provider: IdentityProvider, browser: str, target: str, *, again: bool, connect: UserId | None = None
    ) -> str:
        """Return where the browser goes. Raises ``ProviderAway``, ``NotVouched``."""
        state, now = base64url(self._entropy(_SECRET_BYTES)), self._now()
        asked = Asked(
            redirect_uri=self._callback(provider.slug), nonce=base64url(self._entropy(_SECRET_BYTES)),
            verifier=base64url(self._entropy(_SECRET_BYTES)), started_at=now,
        )  # fmt: skip
        location = await self._client.location(provider, asked, state=state, again=again)
        name = self._fingerprinter.of(f"provider state {state}")
        errand = json.dumps({"asked": asdict(asked), "target": target, "connect": connect})
        row = ProviderSignIn(
            state=name, browser=self._browser(browser), provider_id=provider.id,
            sealed=self._sealer.seal(_LABEL, errand.encode(), aad=name.encode(), entropy=self._entropy),
            expires_at=Instant(now + LIFETIME),
        )  # fmt: skip
        await self._database.write(lambda tx: identities.insert_sign_in(tx, row))
        return location

    async def take(self, provider: IdentityProvider, browser: str, state: str) -> Errand | None:
        """Return the errand that an answer is about, once; None where it was not sent from here, by this browser."""
        name, now = self._fingerprinter.of(f"provider state {state}"), self._now()
        row = await self._database.write(
            lambda tx: identities.take_sign_in(
                tx, state=name, browser=self._browser(browser), provider_id=provider.id, now=now
            )
        )  # fmt: skip
        if row is None:
            return None
        said = json.loads(self._sealer.open(_LABEL, row.sealed, aad=name.encode()))
        connect = None if said["connect"] is None else UserId(said["connect"])
        return Errand(asked=Asked(**said["asked"]), target=said["target"], connect=connect)

    async def finish(
        self, provider: IdentityProvider, errand: Errand, came: Came, *, code: str, issuer: str | None
    ) -> SignedIn | Connected | Taken | Nobody:
        """Find out who came with ``code``, and let them in or connect them. ``issuer`` as in the answer (RFC 9207).

        Raises ``ProviderAway``, ``NotVouched``.
        """
        if not await self._client.names_itself(provider, issuer):
            # Before the code goes anywhere: it may be another provider's (mix-up).
            raise NotVouched("the answer names another issuer, or none")
        vouched = await self._client.redeem(provider, errand.asked, code)
        if errand.connect is not None:
            return await self._connect(provider, vouched, errand.connect, came)
        return await self._twice(partial(self._enter, provider_id=provider.id, vouched=vouched, came=came))

    async def _connect(
        self, provider: IdentityProvider, vouched: Vouched, user_id: UserId, came: Came
    ) -> Connected | Taken | Nobody:  # fmt: skip
        now = self._now()

        def work(tx: Transaction) -> Connected | Taken | Nobody:
            here = session_user(tx, came.old_cookie, fingerprinter=self._fingerprinter, now=now)
            if here is None or here[1].id != user_id or not _is_on(tx, provider.id):
                return Nobody("signed out, or somebody else, since they were sent")
            known = identities.identity(tx, vouched.issuer, vouched.subject)
            if known is not None:
                return Connected() if known.user_id == user_id else Taken()
            if accounts.held_user(tx, user_id) is None:
                return Nobody("gone meanwhile")
            first_sign_in.connect(tx, provider, vouched, user_id, now=now, cause=came.cause)
            return Connected()

        return await self._twice(work)

    def _enter(
        self, tx: Transaction, *, provider_id: ProviderId, vouched: Vouched, came: Came
    ) -> SignedIn | Nobody:  # fmt: skip
        now = self._now()
        provider = identity_providers.provider_by_id(tx, provider_id)
        if provider is None or provider.status is not Status.ACTIVE:
            return Nobody("the provider was switched off meanwhile")
        found = first_sign_in.whose(tx, provider, vouched, now=now, entropy=self._entropy, cause=came.cause)
        if isinstance(found, Nobody):
            refuse(tx, None, f"{provider.slug}: {found.why}", came, now=now)
            return found
        begun = self._entering.begin(
            tx, found, came, means=ways_in.through(provider.id), now=now, authenticated_at=vouched.authenticated_at
        )  # fmt: skip
        return begun or Nobody("may not sign in so")

    async def _twice(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` again where the same person came twice at once: the second time they are known."""
        try:
            return await self._database.write(work)
        except Conflict:
            return await self._database.write(work)

    def _browser(self, browser: str) -> Fingerprint:
        return self._fingerprinter.of(f"browser {browser}")


def _is_on(reader: Reader, provider_id: ProviderId) -> bool:
    found = identity_providers.provider_by_id(reader, provider_id)
    return found is not None and found.status is Status.ACTIVE
